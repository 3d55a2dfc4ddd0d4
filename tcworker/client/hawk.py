"""Hawk: how requests of Taskcluster are signed (contracts of the queue, 3.1, 3.2 and 3.5). Pure.

A signature covers method, host, port and the target exactly as it goes over the wire. Clients of Taskcluster need not
sign a body and ours does not, yet servers must check such a hash where another client sends one.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from base64 import b64decode, b64encode, urlsafe_b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from hmac import compare_digest
from urllib.parse import urlsplit

from mohawk.util import HAWK_HEADER_RE, calculate_mac, prepare_header_val

from tcworker.interfaces import JSON, Credentials

_PORTS = {"http": 80, "https": 443}
# int() would take signs, spaces and digits of other scripts as well.
_TIME = re.compile("[0-9]{1,15}")
_ATTRIBUTES = {"id", "ts", "nonce", "mac", "hash", "ext", "app", "dlg"}


@dataclass(frozen=True)
class Key:
    """What a message is signed with, as mohawk wants to be given it."""

    access_token: str = field(repr=False)

    def __getitem__(self, name: str) -> str:
        return {"key": self.access_token, "algorithm": "sha256"}[name]


@dataclass(frozen=True)
class Message:
    """What a signature covers, under the names that mohawk reads.

    @ivar name: the request's target, path and query as on the wire; of a bewit without the bewit itself.
    """

    credentials: Key
    timestamp: str
    nonce: str
    method: str
    name: str
    host: str
    port: str
    ext: str = ""
    app: str = ""
    dlg: str = ""

    def mac(self, kind: str = "header", content_hash: str = "") -> str:
        """The signature; C{kind} is C{header} or C{bewit}."""
        mac: bytes = calculate_mac(kind, self, content_hash)
        return mac.decode("ascii")


def bewit_mac(key: Key, expires: int, target: str, host: str, port: str, ext: str = "") -> str:
    """The signature in a bewit (contracts of the queue, 3.5).

    @param expires: until when it is good, in seconds.
    @param target: without the bewit.
    """
    return Message(key, str(expires), "", "GET", target, host, port, ext).mac("bewit")


def with_bewit(url: str, credentials: Credentials, expires: int) -> str:
    """Sign a URL that has no query for whoever is given it, until then, in seconds."""
    split = urlsplit(url)
    # As it stands in the Host header: an address of IPv6 with its brackets.
    host = split.netloc.removesuffix(f":{split.port}").lower()
    mac = bewit_mac(Key(credentials.access_token), expires, split.path, host, str(split.port or _PORTS[split.scheme]))
    text = f"{credentials.client_id}\\{expires}\\{mac}\\"
    return f"{url}?bewit={urlsafe_b64encode(text.encode()).decode().rstrip('=')}"


@dataclass(frozen=True)
class Authorization:
    """An C{Authorization} header taken apart.

    @ivar hash: of the body, empty if the client signed none.
    @ivar ext: still encoded; L{open_ext} reads it.
    """

    client_id: str
    timestamp: int
    nonce: str
    mac: str = field(repr=False)
    hash: str = ""
    ext: str = field(default="", repr=False)
    app: str = ""
    dlg: str = ""

    @classmethod
    def parse(cls, header: str) -> Authorization:
        """Take a header apart. Raises C{ValueError} if it is not Hawk's."""
        scheme, _, attributes = header.partition(" ")
        found = HAWK_HEADER_RE.findall(attributes)
        values: dict[str, str] = dict(found)
        if scheme.lower() != "hawk" or len(values) != len(found) or HAWK_HEADER_RE.sub("", attributes):
            raise ValueError("not a Hawk authorization header")
        if unknown := values.keys() - _ATTRIBUTES:
            raise ValueError(f"a Hawk authorization header with an unknown attribute: {sorted(unknown)[0]}")
        try:
            if not _TIME.fullmatch(values["ts"]):
                raise ValueError("the time of a Hawk authorization header is no number")
            return cls(
                client_id=values["id"],
                timestamp=int(values["ts"]),
                nonce=values["nonce"],
                mac=values["mac"],
                hash=values.get("hash", ""),
                ext=values.get("ext", ""),
                app=values.get("app", ""),
                dlg=values.get("dlg", ""),
            )
        except KeyError as error:
            raise ValueError(f"a Hawk authorization header without {error}") from error

    def is_signed_with(self, access_token: str, method: str, target: str, host: str, port: int) -> bool:
        """Whether the signature is by somebody who knows the token. Neither time nor body is looked at."""
        message = Message(
            Key(access_token),
            str(self.timestamp),
            self.nonce,
            method.upper(),
            target,
            host.lower(),
            str(port),
            self.ext,
            self.app,
            self.dlg,
        )
        # How long it takes must not tell how much of a guess was right.
        return compare_digest(message.mac(content_hash=self.hash).encode(), self.mac.encode())


def sign(
    method: str,
    url: str,
    credentials: Credentials,
    *,
    time: float,
    authorized_scopes: Sequence[str] | None = None,
) -> str:
    """The C{Authorization} header of one request, good for it alone.

    @param url: as it will be requested, percent-encoded already.
    @param time: in seconds since 1970.
    @param authorized_scopes: what the request may be used for at the most, C{None} for all that the credentials allow.
    """
    parts = urlsplit(url)
    # The target is taken from the URL as it stands: encoded anew, it would not be what the server sees.
    message = Message(
        Key(credentials.access_token),
        str(int(time)),
        secrets.token_urlsafe(6),
        method.upper(),
        f"{parts.path}?{parts.query}" if parts.query else parts.path,
        parts.hostname or "",
        str(parts.port or _PORTS[parts.scheme]),
        make_ext(credentials.certificate, None if authorized_scopes is None else tuple(authorized_scopes)),
    )
    client_id = prepare_header_val(credentials.client_id)
    ext = f', ext="{message.ext}"' if message.ext else ""
    return f'Hawk id="{client_id}", ts="{message.timestamp}", nonce="{message.nonce}"{ext}, mac="{message.mac()}"'


# A run's certificate, of some kilobytes, is the same in all its calls.
@lru_cache(maxsize=64)
def make_ext(certificate: str | None, authorized_scopes: tuple[str, ...] | None) -> str:
    """Encode what goes along with a signature; empty when there is nothing."""
    ext: dict[str, JSON] = {}
    if certificate:
        ext["certificate"] = json.loads(certificate)
    if authorized_scopes is not None:
        ext["authorizedScopes"] = list(authorized_scopes)
    return b64encode(json.dumps(ext, separators=(",", ":")).encode()).decode() if ext else ""


def open_ext(ext: str) -> Mapping[str, JSON]:
    """Decode an C{ext}, of either base64 alphabet. Raises C{ValueError} if it holds no JSON object."""
    if not ext:
        return {}
    # The Python client writes the alphabet that is safe in URLs, others the usual one.
    encoded = ext.translate(str.maketrans("-_", "+/")) + "=" * (-len(ext) % 4)
    try:
        content = json.loads(b64decode(encoded, validate=True))
    except RecursionError:
        raise ValueError("the ext of a Hawk header is nested too deeply") from None
    if not isinstance(content, dict):
        raise ValueError("the ext of a Hawk header is not an object")
    return content


def payload_hash(body: bytes, content_type: str) -> str:
    """The hash of a body as Hawk signs it; parameters of the content type do not count."""
    kind = content_type.partition(";")[0].strip().lower()
    digest = hashlib.sha256(f"hawk.1.payload\n{kind}\n".encode())
    digest.update(body)
    digest.update(b"\n")
    return b64encode(digest.digest()).decode()
