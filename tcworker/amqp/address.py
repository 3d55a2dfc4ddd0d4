"""Where a broker is and who calls there: an AMQP URL, read (contracts of the queue, 2.5)."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import SplitResult, unquote, urlsplit

from tcworker.errors import ConfigError, Fault

PORTS = {"amqp": 5672, "amqps": 5671}
SHAPE = "amqp://user:password@host:port/virtual-host, or amqps://…, with %40 for @, %2F for / and so on in its parts"
GUEST = "guest"


@dataclass(frozen=True)
class Address:
    """A broker, one of its virtual hosts, and a user of it.

    @ivar secure: whether by TLS.
    """

    host: str
    port: int
    vhost: str
    user: str
    password: str = field(repr=False)
    secure: bool = False

    def __str__(self) -> str:
        scheme = "amqps" if self.secure else "amqp"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{scheme}://{self.user}@{host}:{self.port}, virtual host {self.vhost}"


def read_address(url: str) -> Address:
    """Read an AMQP URL; what follows a question mark is of other clients and does not count.

    Raises L{ConfigError} for one that cannot be, and does not repeat any part that might be a piece of the password.
    """
    split = _split(url)
    if split.scheme not in PORTS:
        raise _fault(f"the scheme {split.scheme}" if "://" in url else "no scheme")
    if not split.hostname:
        raise _fault("no host")
    if split.fragment or set("/@") & set(split.path[1:]):
        # It would be taken for a host and a virtual host, and shown, where it is a password with a slash.
        raise _fault("one of / @ # where it must be percent-encoded")
    return Address(
        host=split.hostname,
        port=split.port or PORTS[split.scheme],
        vhost=unquote(split.path[1:]) or "/",
        user=unquote(split.username or GUEST),
        password=unquote(GUEST if split.password is None else split.password),
        secure=split.scheme == "amqps",
    )


def _split(url: str) -> SplitResult:
    try:
        split = urlsplit(url)
        # What cannot be a number shows only now. Port 0 is none either.
        if split.port == 0:
            raise ValueError
    except ValueError:
        # The library's words have the port in them, which is half a password when its slash is not encoded.
        raise _fault("an address that cannot be read, or a port that is not one of 1 to 65535") from None
    return split


def _fault(found: str) -> ConfigError:
    return ConfigError([Fault("pulse", found, SHAPE)])
