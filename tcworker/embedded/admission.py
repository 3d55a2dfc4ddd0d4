"""Which requests there is room for: of all others, nothing is kept while they are refused."""

from __future__ import annotations

from tcworker.embedded.api import ApiResource
from tcworker.embedded.incoming import headers
from tcworker.embedded.page.hosts import Hosts
from tcworker.embedded.site_request import Room, SiteRequest
from tcworker.embedded.storage import StorageResource


class Admission:
    """Decides by a request's first lines, when its body begins."""

    def __init__(self, hosts: Hosts, calls: ApiResource, stored: StorageResource) -> None:
        self._hosts = hosts
        self._calls = calls
        self._stored = stored

    def room(self, request: SiteRequest, method: str, target: str) -> Room:
        """Give the room for a request's body."""
        if not self._hosts.permits(request):
            return Room.NONE
        if self._stored.welcomes(method, target, headers(request)):
            return Room.UPLOAD
        return Room.CALL if self._calls.knows(method, target) else Room.NONE
