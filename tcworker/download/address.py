"""Addresses of content. Pure."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_address
from string import ascii_letters, digits, punctuation
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from hyperlink import EncodedURL

from tcworker.download.answers import AS_IT_IS
from tcworker.printable import printable

_LONGEST_LABEL = 63

_LONGEST_NAME = 253

# Not only what a name should be made of: an underscore is in many that can be looked up.
_IN_HOSTS = frozenset(ascii_letters + digits + punctuation) - frozenset('"#%/:<>?@[\\]^`{|}')


@dataclass(frozen=True)
class Address:
    """Where some content is to be asked for now.

    @ivar trusted: whether Taskcluster named it, and not whoever wrote a task.
    @ivar identity: what it is an address of, in words that differ when that is another content.
    @ivar hashes: in hexadecimal, by their algorithms, which it must have; C{None} if nobody said.
    """

    url: str = field(repr=False)
    trusted: bool = False
    identity: str = field(default="", repr=False)
    hashes: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Target:
    """What a server is asked for, and how.

    @ivar headers: credentials that stood in the address.
    """

    url: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


def read_target(url: str) -> Target:
    """Read an address.

    Raises C{ValueError}, in words, for one that is not absolute or not of http or https.
    """
    try:
        url.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"it has half of a character at {error.start}") from error
    parts = urlsplit(url)
    if parts.scheme.lower() not in ("http", "https"):
        raise ValueError("it must be an address by http or https")
    # The port is read only now, and raises what is wrong with it.
    if not parts.hostname or parts.port == 0:
        raise ValueError("it names no host")
    # Credentials are sent in a header, and to this host only, not to one that it leads to.
    user, _, host = parts.netloc.rpartition("@")
    _check_host(parts.hostname, "[" in host)
    path, query = quote(parts.path or "/", safe=AS_IT_IS), quote(parts.query, safe=AS_IT_IS)
    return Target(urlunsplit((parts.scheme.lower(), host, path, query, "")), _basic(user))


def _check_host(host: str, bracketed: bool) -> None:
    """Raises C{ValueError} for a host that nobody can have (RFC 1035, 2.3.4; RFC 3986, 3.2.2)."""
    if bracketed:
        # With a zone it would be an address of this machine's own links.
        if not isinstance(ip_address(host), IPv6Address) or "%" in host:
            raise ValueError("its host is no address of IPv6 that others have")
        return
    name = (host if host.isascii() else _in_ascii(host)).removesuffix(".")
    labels_fit = all(0 < len(label) <= _LONGEST_LABEL for label in name.split("."))
    if not labels_fit or len(name) > _LONGEST_NAME or not _IN_HOSTS.issuperset(name):
        raise ValueError("its host is no name that can be looked up")


def _in_ascii(host: str) -> str:
    try:
        return EncodedURL.from_text(f"http://{host}/").to_uri().host
    except ValueError as error:
        raise ValueError(f"its host is no name that can be looked up: {printable(str(error))}") from error


def _basic(user: str) -> Mapping[str, str]:
    if not user:
        return {}
    name, _, password = user.partition(":")
    pair = f"{unquote(name)}:{unquote(password)}"
    return {"Authorization": f"Basic {b64encode(pair.encode()).decode()}"}
