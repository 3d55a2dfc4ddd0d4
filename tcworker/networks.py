"""Networks of addresses, as an operator names them."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv6Address
from typing import TypeAlias

Address: TypeAlias = IPv4Address | IPv6Address

DENIED_BY_DEFAULT = (
    "169.254.0.0/16",
    "fe80::/10",
    "fd00:ec2::/32",
    "fd20:ce::254/128",
    "100.100.100.200/32",
    "168.63.129.16/32",
    "192.0.0.192/32",
)
"""Where clouds tell a machine its secrets: the link's own networks, and what Amazon, Google, Alibaba, Azure and Oracle
have beside them."""

_OF_METADATA = "169.254.169.254"

KNOWN_NAMES = {
    "metadata": _OF_METADATA,
    "metadata.goog": _OF_METADATA,
    "metadata.google.internal": _OF_METADATA,
    "instance-data": _OF_METADATA,
    "instance-data.ec2.internal": _OF_METADATA,
    "metadata.tencentyun.com": "169.254.0.23",
}
"""Names that mean such an address to machines of a cloud, perhaps to others than ours only."""

_LAST_FOUR_BYTES = tuple(
    ipaddress.IPv6Network(text)
    # NAT64, its networks of one's own (RFC 8215), SIIT, and IPv4-compatible ones.
    for text in ("64:ff9b::/96", "64:ff9b:1::/48", "::ffff:0:0:0/96", "::/96")
)
"""Where an address ends with one of version 4."""


class Networks:
    """Some networks.

    @param texts: each as C{10.0.0.0/8} or C{fd00::/8}, or an address alone. Raises C{ValueError}.
    """

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self._networks = [ipaddress.ip_network(text, strict=False) for text in texts]

    def __bool__(self) -> bool:
        return bool(self._networks)

    def have(self, host: str) -> bool:
        """Whether an address, in any form that resolvers understand, is in one of them; a name never is."""
        address = read_address(host)
        return address is not None and any(
            meant in network for meant in _meanings(address) for network in self._networks
        )


def read_address(host: str) -> Address | None:
    """Read an address: also as C{0x7f.1} or C{2130706433}, with a zone, in brackets or with a dot at its end.

    C{None} for a name.
    """
    text = host.strip("[]").partition("%")[0].rstrip(".")
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return _read_old(text)


def _read_old(text: str) -> Address | None:
    # What C libraries have always taken for an address, and so will whoever resolves it; they ignore what comes
    # behind a blank, which no host has.
    try:
        return None if " " in text else IPv4Address(socket.inet_aton(text))
    except (OSError, ValueError):
        return None


def _meanings(address: Address) -> Iterator[Address]:
    """An address, and those that it is another form of: whoever connects to it may end there."""
    yield address
    if address.is_unspecified:
        # Linux connects such a one to the machine itself.
        yield ipaddress.ip_address("127.0.0.1" if address.version == 4 else "::1")
    if isinstance(address, IPv6Address):
        for inner in _within(address):
            yield from _meanings(inner)


def _within(address: IPv6Address) -> Iterator[IPv4Address]:
    """The addresses of version 4 that one of version 6 is made of."""
    yield from (inner for inner in (address.ipv4_mapped, address.sixtofour, *(address.teredo or ())) if inner)
    if any(address in network for network in _LAST_FOUR_BYTES):
        yield IPv4Address(int(address) & 0xFFFFFFFF)
