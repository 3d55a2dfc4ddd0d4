"""HTTP proxies as the environment names them: C{HTTP_PROXY}, C{HTTPS_PROXY}, C{NO_PROXY}, in either case."""

from __future__ import annotations

import ipaddress
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from tcworker.errors import ConfigError, Fault

_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Proxy:
    """A proxy.

    @ivar secure: whether it is itself spoken to through TLS.
    @ivar authorization: the C{Proxy-Authorization} that it wants, empty for none.
    """

    host: str
    port: int
    secure: bool = False
    authorization: str = field(default="", repr=False)

    @property
    def headers(self) -> Mapping[str, str]:
        """Of a request that is made of the proxy itself."""
        return {"Proxy-Authorization": self.authorization} if self.authorization else {}

    @classmethod
    def parse(cls, variable: str, url: str) -> Proxy:
        """Read a proxy's URL. Raises L{ConfigError}, which shows nothing of it but the variable's name."""
        parts = urlsplit(url if "://" in url else f"http://{url}")
        try:
            usual = _PORTS[parts.scheme]
            port = parts.port or usual
        except (KeyError, ValueError):
            port = 0
        if not port or not parts.hostname:
            fault = Fault(variable, "another kind of address", "http://[user:password@]host:port")
            raise ConfigError([fault]) from None
        return cls(parts.hostname, port, parts.scheme == "https", _basic(parts.username, parts.password))


class Proxies:
    """Says which proxy leads to a host.

    @param environ: the variables, as in C{os.environ}. Raises L{ConfigError} for a proxy's URL that is none.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._by_scheme = {
            scheme: Proxy.parse(name, url)
            for scheme, name in (("http", "http_proxy"), ("https", "https_proxy"))
            if (url := _value(environ, name))
        }
        self._direct = [name.strip().lower() for name in _value(environ, "no_proxy").split(",") if name.strip()]

    def find(self, scheme: str, host: str, port: int) -> Proxy | None:
        """The proxy on the way to a host, C{None} when there is none. This machine itself is never behind one."""
        proxy = self._by_scheme.get(scheme)
        return None if proxy is None or self._is_direct(host, port) else proxy

    def find_for_url(self, url: str) -> Proxy | None:
        """The proxy that is to be asked for an http URL as a whole; https goes through a tunnel in its stead."""
        if "http" not in self._by_scheme or not url.startswith("http:"):
            return None
        parts = urlsplit(url)
        return self.find("http", parts.hostname or "", parts.port or 80)

    def _is_direct(self, host: str, port: int) -> bool:
        return _is_this_machine(host) or any(_covers(name, host.lower(), port) for name in self._direct)


def _value(environ: Mapping[str, str], name: str) -> str:
    """A variable, lower case first as curl has it."""
    # Set to nothing is as good as not set.
    return environ.get(name) or environ.get(name.upper()) or ""


def _basic(user: str | None, password: str | None) -> str:
    if user is None:
        return ""
    # Passwords stand percent-encoded in URLs, and as they are in the header.
    pair = f"{unquote(user)}:{unquote(password or '')}"
    return f"Basic {b64encode(pair.encode()).decode()}"


def _is_this_machine(host: str) -> bool:
    address = _address(host)
    return host == "localhost" or (address is not None and address.is_loopback)


def _covers(name: str, host: str, port: int) -> bool:
    """Whether an entry of C{NO_PROXY} means a host: a name and all below it, perhaps with a port; a network; C{*}."""
    # More than one colon is no port but an IPv6 address.
    name, _, only = name.partition(":") if name.count(":") == 1 else (name, "", str(port))
    suffix = name.lstrip("*").lstrip(".")
    matches = host == suffix or host.endswith(f".{suffix}") or _contains(name, host)
    return name == "*" or (matches and only == str(port))


def _contains(network: str, host: str) -> bool:
    """Whether C{network}, as C{10.0.0.0/8}, has that host."""
    address = _address(host)
    try:
        return address is not None and "/" in network and address in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
