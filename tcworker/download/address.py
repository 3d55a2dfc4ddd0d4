"""Addresses of content. Pure."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from tcworker.download.answers import AS_IT_IS


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
    path, query = quote(parts.path or "/", safe=AS_IT_IS), quote(parts.query, safe=AS_IT_IS)
    return Target(urlunsplit((parts.scheme.lower(), host, path, query, "")), _basic(user))


def _basic(user: str) -> Mapping[str, str]:
    if not user:
        return {}
    name, _, password = user.partition(":")
    pair = f"{unquote(name)}:{unquote(password)}"
    return {"Authorization": f"Basic {b64encode(pair.encode()).decode()}"}
