"""Which names the server goes by: a request that is sent to any other one is refused.

A page on a stranger's site can let its own name point at this machine, and would then be of one origin with all that is
served here. The browser still says in C{Host} which name it was told.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from twisted.web.resource import IResource, Resource
from twisted.web.server import Request

from tcworker.embedded import incoming

_PORTS = {"http": "80", "https": "443"}

REFUSED = 421


class Hosts:
    """Knows the requests that are meant for this server.

    @ivar root_url: the only address that it goes by; nothing is permitted until it is set.
    """

    def __init__(self, root_url: str = "") -> None:
        self.root_url = root_url

    def permits(self, request: Request) -> bool:
        """Whether a request names the root URL's host and port, and no other besides."""
        if not self.root_url:
            return False
        scheme, host, *_ = urlsplit(self.root_url)
        # Of any bytes, which by a name that is text Twisted would read as UTF-8.
        named = request.requestHeaders.getRawHeaders(b"host", [])
        # Many a proxy says the port only there. It can be anybody's word: the name is what counts.
        port = incoming.header(request, "x-forwarded-port") or _PORTS[scheme]
        return len(named) == 1 and _with_port(named[0].decode("latin-1"), port) == _with_port(host, _PORTS[scheme])

    def refuse(self, request: Request) -> bytes:
        """Answer a request that L{permits} turned down; gives the body."""
        request.setResponseCode(REFUSED, b"Misdirected Request")
        request.setHeader("content-type", "text/plain; charset=utf-8")
        request.setHeader("x-content-type-options", "nosniff")
        request.setHeader("cache-control", "no-store")
        return f"This server answers only to its own address. Use {self.root_url}/\n".encode()


class HostGuard(Resource):
    """Lets a resource see the requests only that are meant for this server."""

    isLeaf = True

    def __init__(self, hosts: Hosts, resource: IResource) -> None:
        super().__init__()
        self._hosts = hosts
        self._resource = resource

    def render(self, request: Request) -> bytes | int:
        """Answer, or refuse."""
        if not self._hosts.permits(request):
            return self._hosts.refuse(request)
        answered: bytes | int = self._resource.render(request)
        return answered


def _with_port(host: str, usual: str) -> str:
    name, colon, port = host.strip().lower().rpartition(":")
    # The colons of an IPv6 address are within brackets.
    known = colon and not port.endswith("]")
    return f"{name}:{port}" if known else f"{host.strip().lower()}:{usual}"
