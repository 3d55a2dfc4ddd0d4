"""The logs of all tasks that run, at addresses that nobody can guess."""

from __future__ import annotations

import secrets
from collections.abc import Mapping

from twisted.internet.interfaces import IReactorTime
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from tcworker.server.live_log import Follow, LiveLog

PREFIX = "/live/"

MOST_READERS = 200
"""Of all logs together: each has a connection, which strangers may hold for as long as a task runs."""

HEADERS: Mapping[str, str] = {
    "Content-Type": "text/plain; charset=utf-8",
    "Cache-Control": "no-store",
    "Access-Control-Allow-Origin": "*",
    # What a task prints is a stranger's: it is shown, and never acts in the name of this server's own pages.
    "Content-Security-Policy": "sandbox",
    "X-Content-Type-Options": "nosniff",
}


class LiveLogs(Resource):
    """Serves C{/live/<secret>}: a log from its beginning, as it grows, until it ends; then there is nothing any more.

    @param folder: for copies of logs that somebody reads.
    """

    isLeaf = True

    def __init__(self, folder: str, clock: IReactorTime) -> None:
        super().__init__()
        self._folder = folder
        self._clock = clock
        self._logs: dict[str, LiveLog] = {}
        self._closing: set[LiveLog] = set()

    def open(self, follow: Follow) -> str:
        """Offer a log, until L{close} is called; gives the path of its address."""
        path = PREFIX + secrets.token_urlsafe(32)
        self._logs[path] = LiveLog(follow, self._folder, self._clock)
        return path

    def close(self, path: str) -> None:
        """Offer a log no longer; repeatable."""
        log = self._logs.pop(path, None)
        if log is not None:
            self._closing = {closing for closing in self._closing if closing.readers}
            self._closing.add(log)
            log.close()

    def stop(self) -> None:
        """Offer none any longer, and end all connections that read one."""
        for path in list(self._logs):
            self.close(path)
        for log in self._closing:
            log.cut()

    def render(self, request: Request) -> bytes | int:
        """Answer GET, HEAD and a browser's question whether it may."""
        for name, value in HEADERS.items():
            request.setHeader(name, value)
        log = self._logs.get(request.path.decode("latin-1"))
        if request.method == b"OPTIONS":
            return _refuse(request, 204, "")
        if request.method not in (b"GET", b"HEAD"):
            return _refuse(request, 405, "A log can only be read.")
        if log is None:
            return _refuse(request, 404, "This log does not grow any more: its task has it as an artifact.")
        return b"" if request.method == b"HEAD" else self._send(log, request)

    def _send(self, log: LiveLog, request: Request) -> bytes | int:
        if sum(log.readers for log in (*self._logs.values(), *self._closing)) >= MOST_READERS:
            return _refuse(request, 503, "Too many read logs at this moment.")
        try:
            log.add(request)
        except OSError as error:
            return _refuse(request, 503, f"The log cannot be read now: {error.strerror}.")
        return NOT_DONE_YET


def _refuse(request: Request, status: int, why: str) -> bytes:
    request.setResponseCode(status)
    return f"{why}\n".encode() if why else b""
