"""How contents are handed out: whole, in part, or not again to those who have them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, BinaryIO

from twisted.web.http import CACHED
from twisted.web.server import NOT_DONE_YET, Request
from twisted.web.static import File

from tcworker.embedded.contents import Content
from tcworker.embedded.ranges import ranges_of

PIECE = 1 << 19
UNTYPED = "binary/octet-stream"
"""What a content is of which nobody said anything; Twisted would call it a page."""

CODES: Mapping[int, str] = {
    400: "InvalidArgument",
    403: "AccessDenied",
    404: "NoSuchKey",
    405: "MethodNotAllowed",
    411: "MissingContentLength",
    416: "InvalidRange",
    500: "InternalError",
    507: "InsufficientStorage",
}
"""What buckets call their refusals."""


def hand_out(request: Request, content: Content, file: BinaryIO) -> None:
    """Answer with a content, or what of it was asked for, and close its file."""
    served, tag = _Served(content, file), f'"{content.file}"'.encode()
    _settle_conditions(request, tag)
    cached = request.setETag(tag) is CACHED
    if cached or not _settle_range(request, served.getFileSize()):
        file.close()
        return end(request, 304 if cached else 416)
    body = served.render_GET(request)
    if body is not NOT_DONE_YET:
        request.finish()


def _settle_conditions(request: Request, tag: bytes) -> None:
    """Leave those conditions of a request that count (RFC 9110, 13.2.2)."""
    headers = request.requestHeaders
    if headers.hasHeader(b"if-none-match"):
        headers.removeHeader(b"if-modified-since")
    if headers.getRawHeaders(b"if-range", [tag]) != [tag]:
        headers.removeHeader(b"range")


def _settle_range(request: Request, size: int) -> bool:
    """Leave a C{Range} that Twisted understands, or none; says whether there is anything of what is asked for."""
    headers = request.requestHeaders
    given = headers.getRawHeaders(b"range", [b""])[0].decode("latin-1")
    parts = ranges_of(given, size)
    if parts is None:
        headers.removeHeader(b"range")
        return True
    asked = ",".join(f"{first}-{last}" for first, last in parts)
    headers.setRawHeaders(b"range", [f"bytes={asked}".encode()])
    if not parts:
        request.setHeader("Content-Range", f"bytes */{size}")
    return bool(parts)


def is_gone(request: Request) -> bool:
    """Whether nobody waits for the answer any more."""
    return request.channel is None


def end(request: Request, status: int) -> None:
    """Answer with a status and, if it is a refusal, its name."""
    if is_gone(request):
        return
    request.setResponseCode(status)
    body = f"<Error><Code>{CODES[status]}</Code></Error>".encode() if status in CODES else b""
    if body:
        request.setHeader("content-type", "application/xml")
    if status not in (204, 304):
        request.setHeader("content-length", str(len(body)))
    request.write(body)
    request.finish()


class _Served(File):
    """An open file handed out in large pieces: Twisted gives one a millisecond, and its own are of 64 KiB.

    Its path is not asked for anything: another content may have taken its place since it was opened.
    """

    def __init__(self, content: Content, file: BinaryIO) -> None:
        super().__init__(file.name)
        self.type, self.encoding = content.content_type or UNTYPED, content.content_encoding
        self._file = file
        self._stat = os.fstat(file.fileno())

    def restat(self, reraise: bool = True) -> None:
        """Do nothing: the file does not change."""

    def exists(self) -> bool:
        """It was opened."""
        return True

    def isdir(self) -> bool:
        """It is a file."""
        return False

    def getFileSize(self) -> int:
        """Give its length."""
        return self._stat.st_size

    def getModificationTime(self) -> float:
        """Give when it was uploaded."""
        return self._stat.st_mtime

    def openForReading(self) -> BinaryIO:
        """Give the file, which is closed when it is handed out."""
        return self._file

    def makeProducer(self, request: Request, fileForReading: BinaryIO) -> Any:
        producer = super().makeProducer(request, fileForReading)
        producer.bufferSize = PIECE
        return producer
