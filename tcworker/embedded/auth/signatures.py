"""What somebody signed a request with: a Hawk header, or a bewit in the query (contracts of the queue, 3.1 and 3.5)."""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode
from dataclasses import dataclass, field
from hmac import compare_digest
from typing import Protocol

from tcworker.client.hawk import Authorization, Key, bewit_mac
from tcworker.embedded.calls import SignedRequest

SKEW_SECONDS = 15 * 60

MOST_CHARACTERS = 4096
"""So many characters the header may have, and a target with a bewit: it is what the real services' library takes."""

_BEWIT = re.compile(r"(?P<before>/.*)(?P<mark>[?&])bewit=(?P<bewit>[^&]*)(?:&(?P<after>.+))?", re.DOTALL)


class Refused(Exception):
    """A signature that is not good; the message says why."""


class Signature(Protocol):
    """One that is yet to be checked: it needs the access token, which depends on what it says itself.

    @ivar ext: encoded as it came.
    @ivar hash: of the body, empty if that is not signed.
    """

    @property
    def client_id(self) -> str: ...

    @property
    def ext(self) -> str: ...

    @property
    def hash(self) -> str: ...

    def check(self, request: SignedRequest, token: str, now: float) -> None:
        """Raise L{Refused} unless somebody with this token signed the request; C{now} is in seconds."""


def read_signature(request: SignedRequest) -> Signature | None:
    """Give what a request is signed with; the header counts before the query. Raises L{Refused} if it is nonsense."""
    if request.authorization:
        return _read_header(request.authorization)
    return _read_bewit(request) if has_bewit(request.target) else None


def has_bewit(target: str) -> bool:
    """Whether a target is signed, or at least tries to be."""
    return _BEWIT.fullmatch(target) is not None


@dataclass(frozen=True)
class _Header:
    header: Authorization

    @property
    def client_id(self) -> str:
        return self.header.client_id

    @property
    def ext(self) -> str:
        return self.header.ext

    @property
    def hash(self) -> str:
        return self.header.hash

    def check(self, request: SignedRequest, token: str, now: float) -> None:
        if not self.header.is_signed_with(token, request.method, request.target, request.host, request.port):
            raise Refused("the MAC is wrong: another access token, or not the request that was signed")
        # A clock's seconds are compared as the clients have them: without parts.
        if abs(now - self.header.timestamp) > SKEW_SECONDS:
            raise Refused("the request's time is more than 15 minutes from the server's")


@dataclass(frozen=True)
class _Bewit:
    """@ivar target: without the bewit."""

    client_id: str
    expires: int
    mac: str = field(repr=False)
    ext: str = field(repr=False)
    target: str
    hash: str = ""

    def check(self, request: SignedRequest, token: str, now: float) -> None:
        if self.expires <= now:
            raise Refused("the bewit has expired")
        mac = bewit_mac(Key(token), self.expires, self.target, request.host, str(request.port), self.ext)
        # How long it takes must not tell how much of a guess was right.
        if not compare_digest(mac.encode(), self.mac.encode()):
            raise Refused("the bewit's MAC is wrong: another access token, or not the URL that was signed")


def _read_header(authorization: str) -> Signature:
    if len(authorization) > MOST_CHARACTERS:
        raise Refused(f"the Authorization header has more than {MOST_CHARACTERS} characters")
    try:
        return _Header(Authorization.parse(authorization))
    except ValueError as fault:
        raise Refused(str(fault)) from None


def _read_bewit(request: SignedRequest) -> Signature:
    if len(request.target) > MOST_CHARACTERS:
        raise Refused(f"the URL has more than {MOST_CHARACTERS} characters")
    if request.method not in ("GET", "HEAD"):
        raise Refused("a bewit is good for GET and HEAD only")
    found = _BEWIT.fullmatch(request.target)
    assert found is not None
    client_id, expires, mac, ext = _open_bewit(found["bewit"])
    target = found["before"] + (found["mark"] + found["after"] if found["after"] else "")
    return _Bewit(client_id, expires, mac, ext, target)


def _open_bewit(encoded: str) -> tuple[str, int, str, str]:
    if not re.fullmatch("[A-Za-z0-9_-]+", encoded):
        raise Refused("the bewit is not in the base64 of URLs, without padding")
    try:
        parts = urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode("latin-1").split("\\")
    except ValueError:
        raise Refused("the bewit is not in base64") from None
    if len(parts) != 4 or not all(parts[:3]) or not re.fullmatch("[1-9][0-9]{0,14}", parts[1]):
        raise Refused("the bewit is not made of client id, time, MAC and ext")
    client_id, expires, mac, ext = parts
    return client_id, int(expires), mac, ext
