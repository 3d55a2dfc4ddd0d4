"""What an artifact is by its name: content type and encoding (contracts of generic-worker, 3); pure.

The answer is the same on every machine: the tables of the operating system are not asked.
"""

from __future__ import annotations

import mimetypes

UNKNOWN = "application/octet-stream"

_OWN_TYPES = {
    ".7z": "application/x-7z-compressed",
    ".apk": "application/vnd.android.package-archive",
    ".bz2": "application/x-bzip2",
    ".deb": "application/vnd.debian.binary-package",
    ".flv": "video/x-flv",
    ".gz": "application/gzip",
    ".jar": "application/java-archive",
    ".js": "text/javascript",
    ".jsonl": "application/jsonl",
    ".log": "text/plain",
    ".lz": "application/x-lzip",
    ".lz4": "application/x-lz4",
    ".md": "text/markdown",
    ".mjs": "text/javascript",
    ".ogg": "audio/ogg",
    ".otf": "font/otf",
    ".rpm": "application/x-rpm",
    ".tgz": "application/gzip",
    ".toml": "application/toml",
    ".ttf": "font/ttf",
    ".wasm": "application/wasm",
    ".webp": "image/webp",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
    ".xpi": "application/x-xpinstall",
    ".xz": "application/x-xz",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
    ".zst": "application/zstd",
}

# As the reference worker has it; its other texts get a charset.
_WITHOUT_CHARSET = frozenset((".log",))

# An instance of its own knows what Python knows; the module's functions would read the system's files.
_KNOWN_TYPES = mimetypes.MimeTypes().types_map[True] | _OWN_TYPES

_COMPRESSED = (
    "7z br aab apk bz2 deb dmg flv gif gz jar jpeg jpg lz lz4 mz npz pkg png swf sz tbz tgz wasm webp whl "
    "woff woff2 xpi xz zip zst zz"
)
_IDENTITY = frozenset(_COMPRESSED.split())


def content_type(name: str) -> str:
    """Tell the content type by the extension, whatever its case; texts are taken to be UTF-8."""
    extension = _extension(name).lower()
    known = _KNOWN_TYPES.get(extension, UNKNOWN)
    if known.startswith("text/") and extension not in _WITHOUT_CHARSET:
        return f"{known}; charset=utf-8"
    return known


def content_encoding(name: str) -> str:
    """Tell the encoding by the extension, whose case matters: C{identity} for what is compressed, else C{gzip}."""
    return "identity" if _extension(name)[1:] in _IDENTITY else "gzip"


def _extension(name: str) -> str:
    """From the last dot of the last part of a name, with the dot; empty without one."""
    _, dot, extension = name.rpartition("/")[2].rpartition(".")
    return dot + extension if dot else ""
