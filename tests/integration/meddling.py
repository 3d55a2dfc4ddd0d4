"""Meddles with the calls that reach a Taskcluster of the test's own process."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from urllib.parse import unquote

from twisted.internet import reactor
from twisted.trial.unittest import TestCase
from twisted.web.server import NOT_DONE_YET, Request

from tcworker.embedded.root import RootResource

Render = Callable[[Request], bytes | int]
"""How the Taskcluster answers a request."""

Answer = Callable[[Request, Render], bytes | int]
"""How a test answers one, with the Taskcluster's own way at hand."""

EVER = 1_000_000


class Meddling(TestCase):
    """Tests that answer calls in the Taskcluster's place, or look at them; whatever came last sees a call first."""

    def meddle(self, method: str, path: str, answer: Answer, times: int = EVER) -> list[str]:
        """Have the test answer calls, so many times. Gives the paths of those that it was asked to answer so far.

        @param method: any if empty.
        @param path: a pattern of what their paths contain, decoded.
        """
        plain = RootResource.render
        met: list[str] = []

        def render(resource: RootResource, request: Request) -> bytes | int:
            called, wanted = unquote(request.path.decode()), method in ("", request.method.decode())
            if not wanted or not re.search(path, called) or len(met) == times:
                return plain(resource, request)
            met.append(called)
            return answer(request, partial(plain, resource))

        self.patch(RootResource, "render", render)
        return met

    def watch(self, method: str, path: str) -> list[str]:
        """Give the paths of the calls that are made from now on."""
        return self.meddle(method, path, lambda request, render: render(request))

    def refuse(self, method: str, path: str, status: int, times: int = EVER) -> list[str]:
        """Let the Taskcluster answer calls with a status, so many times, in place of doing them. Gives their paths."""

        def answer(request: Request, render: Render) -> bytes | int:
            request.setResponseCode(status)
            return b"{}"

        return self.meddle(method, path, answer, times)

    def hold_up(self, method: str, path: str, seconds: float) -> None:
        """Let the Taskcluster take its time for a call."""

        def answer(request: Request, render: Render) -> bytes | int:
            reactor.callLater(seconds, finish, request, render)
            return NOT_DONE_YET

        self.meddle(method, path, answer, 1)

    def never_answer(self, method: str, path: str) -> None:
        """Let the Taskcluster say nothing to such calls."""
        self.meddle(method, path, lambda request, render: NOT_DONE_YET)

    def hold_back(self, method: str, path: str) -> list[Callable[[], None]]:
        """Let the Taskcluster do a call only when the test says so: by what is in here once the call has come."""
        held: list[Callable[[], None]] = []

        def answer(request: Request, render: Render) -> bytes | int:
            held.append(lambda: finish(request, render))
            return NOT_DONE_YET

        self.meddle(method, path, answer, 1)
        return held


def finish(request: Request, render: Render) -> None:
    """Answer a request for which L{NOT_DONE_YET} was given; nothing is done for whoever hung up meanwhile."""
    body = NOT_DONE_YET if request._disconnected else render(request)
    if body != NOT_DONE_YET:
        request.write(body)
        request.finish()
