"""The one place where paths divide."""

from __future__ import annotations

from collections.abc import Mapping

from twisted.internet.interfaces import IReactorTime
from twisted.web.http import datetimeToString
from twisted.web.resource import IResource, Resource
from twisted.web.server import Request

from tcworker.clocks import wall_seconds
from tcworker.embedded.page.resource import PageResource


class RootResource(Resource):
    """Divides by the raw path, of which nothing is decoded.

    @param calls: answers all that no other does.
    @param page: answers at the root itself, and has files of its own.
    @param mounts: who answers, by the beginning of the path.
    @param clock: gives each answer its C{Date}, by which callers know the time of all other dates.
    """

    isLeaf = True

    def __init__(
        self, calls: IResource, page: PageResource, mounts: Mapping[str, IResource], clock: IReactorTime
    ) -> None:
        super().__init__()
        self._calls = calls
        self._page = page
        self._clock = clock
        self._mounts = [(prefix.encode(), resource) for prefix, resource in mounts.items()]

    def render(self, request: Request) -> bytes | int:
        """Let the one answer whose path it is."""
        request.setHeader(b"date", datetimeToString(wall_seconds(self._clock)))
        if self._page.serves(request.path):
            return self._page.render(request)
        mounted = (resource for prefix, resource in self._mounts if request.path.startswith(prefix))
        answered: bytes | int = next(mounted, self._calls).render(request)
        return answered
