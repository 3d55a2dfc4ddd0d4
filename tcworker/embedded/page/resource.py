"""Hands out the page: files of our own, from memory, with nothing allowed that they do not need."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from twisted.web.resource import Resource
from twisted.web.server import Request

from tcworker.embedded import incoming

FOLDER = Path(__file__).parent / "static"

PREFIX = "/page/"

_TYPES: Mapping[str, str] = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}

_HOST = re.compile(r"[a-z0-9.-]+(:[0-9]+)?", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True)
class _File:
    """One of the page's files."""

    content: bytes
    content_type: str
    tag: bytes


class PageResource(Resource):
    """Serves C{/} and C{/page/…}. It holds no authority: what the page may do, it signs for in the browser."""

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self._files = {f"{PREFIX}{path.name}": _read(path) for path in FOLDER.iterdir() if path.suffix in _TYPES}
        self._index = self._files.pop(f"{PREFIX}index.html")

    @staticmethod
    def serves(path: bytes) -> bool:
        """Whether a request's path is the page's."""
        return path == b"/" or path.startswith(PREFIX.encode())

    def render(self, request: Request) -> bytes:
        """Answer GET and HEAD."""
        _protect(request)
        if request.method not in (b"GET", b"HEAD"):
            request.setHeader("allow", "GET, HEAD")
            return _say(request, 405, "The page can only be read.")
        path = request.path.decode("latin-1")
        file = self._index if path == "/" else self._files.get(path)
        if file is None:
            return _say(request, 404, "There is no such file of the page.")
        # The index names the others: it is asked for anew each time, they only when they have changed.
        request.setHeader("cache-control", "no-store" if path == "/" else "no-cache")
        request.setHeader("content-type", file.content_type)
        unchanged = path != "/" and request.setETag(file.tag) is not None
        return b"" if unchanged else _body(request, file.content)


def _read(path: Path) -> _File:
    content = path.read_bytes()
    return _File(content, _TYPES[path.suffix], b'"%s"' % sha256(content).hexdigest()[:20].encode())


def _protect(request: Request) -> None:
    request.setHeader("content-security-policy", _policy(incoming.header(request, "host") or ""))
    request.setHeader("x-content-type-options", "nosniff")
    request.setHeader("referrer-policy", "no-referrer")
    request.setHeader("cross-origin-opener-policy", "same-origin")
    request.setHeader("cross-origin-resource-policy", "same-origin")


def _policy(host: str) -> str:
    # Tasks' artifacts are on this origin, too. Only what is in the page's own folder may ever run, or style it; where
    # the address is not one that a policy can name (IPv6), the whole origin has to do.
    ours = f"{host}{PREFIX}" if _HOST.fullmatch(host) else "'self'"
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src {ours}",
            f"style-src {ours}",
            "img-src 'self' data:",
            # Live logs are wherever a task's worker streams them from.
            "connect-src 'self' http: https:",
            "frame-ancestors 'none'",
            "form-action 'none'",
            "base-uri 'none'",
            # The browser itself refuses to make HTML of text.
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        )
    )


def _say(request: Request, status: int, text: str) -> bytes:
    request.setResponseCode(status)
    request.setHeader("content-type", "text/plain; charset=utf-8")
    request.setHeader("cache-control", "no-store")
    return _body(request, f"{text}\n".encode())


def _body(request: Request, content: bytes) -> bytes:
    request.setHeader("content-length", str(len(content)))
    return b"" if request.method == b"HEAD" else content
