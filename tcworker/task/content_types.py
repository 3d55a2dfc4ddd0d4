"""The content types of files by their extensions; pure.

The table is part of the worker, so that two machines answer alike: those of an operating system, and Python's own,
differ from release to release. It has what IANA has registered, and for the rest what shared-mime-info calls it.
"""

from __future__ import annotations

from collections.abc import Iterator

_TABLE = """
application/epub+zip: epub
application/gzip: gz tgz
application/java-archive: ear jar war
application/json: json map
application/jsonl: jsonl
application/ld+json: jsonld
application/manifest+json: webmanifest
application/msword: doc dot
application/n-quads: nq
application/n-triples: nt
application/octet-stream: a bin dll exe o obj so whl
application/pdf: pdf
application/pgp-signature: sig
application/pkcs7-mime: p7c p7m
application/postscript: ai eps ps
application/rtf: rtf
application/sql: sql
application/toml: toml
application/trig: trig
application/vnd.android.package-archive: apk
application/vnd.apache.parquet: parquet
application/vnd.apple.installer+xml: mpkg
application/vnd.apple.mpegurl: m3u m3u8
application/vnd.debian.binary-package: ddeb deb udeb
application/vnd.flatpak: flatpak
application/vnd.ms-cab-compressed: cab
application/vnd.ms-excel: xls
application/vnd.ms-fontobject: eot
application/vnd.ms-powerpoint: ppt
application/vnd.oasis.opendocument.presentation: odp
application/vnd.oasis.opendocument.spreadsheet: ods
application/vnd.oasis.opendocument.text: odt
application/vnd.openxmlformats-officedocument.presentationml.presentation: pptx
application/vnd.openxmlformats-officedocument.spreadsheetml.sheet: xlsx
application/vnd.openxmlformats-officedocument.wordprocessingml.document: docx
application/vnd.rar: rar
application/vnd.sqlite3: sqlite sqlite3
application/vnd.tcpdump.pcap: cap pcap
application/wasm: wasm
application/x-7z-compressed: 7z
application/x-apple-diskimage: dmg
application/x-bzip: bz
application/x-bzip2: bz2 tbz tbz2
application/x-cpio: cpio
application/x-csh: csh
application/x-dvi: dvi
application/x-hdf5: h5 hdf5
application/x-ipynb+json: ipynb
application/x-latex: latex
application/x-lz4: lz4
application/x-lzip: lz
application/x-lzma: lzma
application/x-msi: msi
application/x-netcdf: nc
application/x-pem-file: pem
application/x-pkcs12: p12 pfx
application/x-python-code: pyc pyo
application/x-rpm: rpm
application/x-sh: sh
application/x-shar: shar
application/x-shockwave-flash: swf
application/x-snappy-framed: sz
application/x-tar: tar
application/x-tcl: tcl
application/x-tex: tex
application/x-texinfo: texi texinfo
application/x-xpinstall: xpi
application/x-xz: txz xz
application/xhtml+xml: xhtml
application/xml: rdf rng wsdl xml xsd xsl xslt
application/yaml: yaml yml
application/zip: zip
application/zstd: zst
audio/aac: aac
audio/basic: au snd
audio/flac: flac
audio/mp4: m4a
audio/mpeg: mp2 mp3
audio/ogg: oga ogg opus
audio/x-aiff: aif aiff
audio/x-wav: wav
font/collection: ttc
font/otf: otf
font/ttf: ttf
font/woff: woff
font/woff2: woff2
image/apng: apng
image/avif: avif
image/bmp: bmp
image/gif: gif
image/heic: heic
image/heif: heif
image/jpeg: jpe jpeg jpg
image/jxl: jxl
image/png: png
image/svg+xml: svg
image/tiff: tif tiff
image/vnd.adobe.photoshop: psd
image/vnd.microsoft.icon: ico
image/webp: webp
image/x-portable-anymap: pnm
image/x-portable-bitmap: pbm
image/x-portable-graymap: pgm
image/x-portable-pixmap: ppm
image/x-xbitmap: xbm
image/x-xpixmap: xpm
message/rfc822: eml mht mhtml
text/calendar: ics
text/css: css
text/csv: csv
text/html: htm html shtml
text/javascript: cjs js mjs
text/markdown: markdown md
text/n3: n3
text/plain: asc bat c cc cfg conf cpp def diff go h hpp in ini java ksh list log patch pl properties rs text txt
text/rtf: rtx
text/tab-separated-values: tsv
text/turtle: ttl
text/vcard: vcf
text/vtt: vtt
text/x-python: py
text/x-rst: rst
text/x-sgml: sgm sgml
video/3gpp: 3gp
video/mp4: m4v mp4
video/mpeg: mpe mpeg mpg
video/ogg: ogv
video/quicktime: mov qt
video/webm: webm
video/x-flv: flv
video/x-matroska: mkv
video/x-msvideo: avi
"""


def _read(table: str) -> Iterator[tuple[str, str]]:
    for line in table.split("\n"):
        kind, _, extensions = line.partition(": ")
        yield from ((f".{extension}", kind) for extension in extensions.split())


TYPES = dict(_read(_TABLE))
"""By the extension in lower case, with its dot."""
