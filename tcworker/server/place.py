"""Where a server listens, what it is called by, and who may reach it there."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import urlsplit

from tcworker.server.refusal import CannotServe


@dataclass(frozen=True)
class Place:
    """Where to listen.

    @ivar interface: an address.
    @ivar name: a name or an address for the root URL.
    @ivar is_private: whether nobody but this machine gets there.
    """

    interface: str
    name: str
    is_private: bool


def find_place(host: str, root_url: str | None = None) -> Place:
    """Look up a name or an address of this machine. Raises L{CannotServe}.

    @param root_url: what the server is called by, if that is something else.
    """
    if "%" in host:
        raise CannotServe(f"--host {host}: an address of one link cannot stand in a URL; give another one")
    address = _look_up(host)
    if root_url is not None:
        # Whoever reaches the proxy reaches the server.
        name = urlsplit(root_url).hostname or ""
        return Place(str(address), name, address.is_loopback and _is_loopback(name))
    if address.is_unspecified:
        return Place(str(address), _name_of_machine(host), False)
    return Place(str(address), host, address.is_loopback)


def _is_loopback(name: str) -> bool:
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"


def _look_up(host: str) -> IPv4Address | IPv6Address:
    try:
        # The first of them: a server has one root URL. (Before it serves; nobody waits but the one who started it.)
        return ip_address(socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0][4][0])
    except (OSError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or "no possible name"
        raise CannotServe(f"--host {host}: {why}; give a name or an address of this machine") from None


def _name_of_machine(host: str) -> str:
    """Say what clients can call a server that listens at every address."""
    name = socket.gethostname()
    try:
        socket.getaddrinfo(name, None)
    except (OSError, UnicodeError):
        raise CannotServe(
            f"--host {host}: clients need a name for the root URL, and this machine's own, {name}, cannot be "
            "looked up; give --host an address or a name that can, or --root-url"
        ) from None
    return name
