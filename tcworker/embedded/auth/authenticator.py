"""Who signed a request, and what they may do (contracts of the queue, 3.1 to 3.5)."""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from twisted.internet.interfaces import IReactorTime

from tcworker.client.hawk import open_ext, payload_hash
from tcworker.client.scopes import ScopeSet, is_scope, satisfies
from tcworker.clocks import wall_seconds
from tcworker.embedded import dates
from tcworker.embedded.auth.anonymous import ASSUME_ANONYMOUS
from tcworker.embedded.auth.certificates import BadCertificate, Certificate, temporary_token
from tcworker.embedded.auth.clients import Client
from tcworker.embedded.auth.signatures import Refused, has_bewit, read_signature
from tcworker.embedded.calls import NOBODY, Caller, SignedRequest, is_json
from tcworker.embedded.faults import ApiError


class Directory(Protocol):
    """Those who may sign, and what they have by it. It answers without waiting."""

    def client(self, client_id: str) -> Client:
        """Give a client who may sign. Raises L{Refused}."""

    def scopes_of(self, client: Client) -> ScopeSet:
        """Give a client's scopes with those of their roles."""

    def expand(self, scopes: Sequence[str]) -> ScopeSet:
        """Give scopes with those of their roles."""

    def used(self, client: Client) -> None:
        """Take note that somebody signed by a client's access token."""


@dataclass(frozen=True)
class Identity:
    """Whose signature a request has.

    @ivar hash: of the body as it was signed, which is yet to be compared; empty if it was not signed.
    """

    caller: Caller
    hash: str = ""


@dataclass(frozen=True)
class _Claims:
    """What a signature says: true only if the MAC is right, too."""

    issuer: Client
    certificate: Certificate | None
    authorized: Sequence[str] | None

    @property
    def token(self) -> str:
        token = self.issuer.access_token
        return token if self.certificate is None else temporary_token(token, self.certificate.seed)

    @property
    def expires(self) -> int:
        return self.issuer.expires if self.certificate is None else min(self.issuer.expires, self.certificate.expiry)


class Authenticator:
    """Checks what clients sign."""

    def __init__(self, clock: IReactorTime, directory: Directory) -> None:
        self._clock = clock
        self._directory = directory

    def authenticate(self, request: SignedRequest) -> Caller:
        """Say who calls; L{NOBODY} without a signature. Raises L{ApiError} for a wrong one."""
        try:
            if request.authorization and has_bewit(request.target):
                raise Refused("the request has a header and a bewit, and may have one of them")
            identity = self.identify(request)
            if identity.hash:
                _check_content(request, identity.hash)
            return identity.caller
        except Refused as refusal:
            raise ApiError("AuthenticationFailed", f"Authentication failed: {refusal}") from None

    def identify(self, request: SignedRequest) -> Identity:
        """Say who signed, whatever the body is. Raises L{Refused}."""
        signature = read_signature(request)
        if signature is None:
            return Identity(Caller(NOBODY, self._directory.expand([ASSUME_ANONYMOUS])))
        try:
            claims = self._claims(signature.client_id, signature.ext)
        except BadCertificate as bad:
            raise Refused(str(bad)) from None
        # What a certificate says is true only if the MAC, made with its token, is right as well.
        signature.check(request, claims.token, wall_seconds(self._clock))
        scopes = self._scopes(claims)
        self._directory.used(claims.issuer)
        return Identity(Caller(signature.client_id, scopes, claims.expires), signature.hash)

    def _claims(self, client_id: str, encoded: str) -> _Claims:
        ext = _read_ext(encoded)
        authorized = _read_authorized(ext.get("authorizedScopes"))
        if ext.get("certificate") is None:
            return _Claims(self._directory.client(client_id), None, authorized)
        said = Certificate.from_json(ext["certificate"])
        issuer = self._directory.client(said.issuer or client_id)
        self._check_certificate(client_id, said, issuer)
        return _Claims(issuer, said, authorized)

    def _check_certificate(self, client_id: str, said: Certificate, issuer: Client) -> None:
        said.check_times(dates.now(self._clock))
        if said.issuer == client_id:
            raise BadCertificate("ext.certificate.issuer must not be the name it gives")
        held = self._directory.scopes_of(issuer)
        if said.issuer and not satisfies(held, f"auth:create-client:{client_id}"):
            raise BadCertificate(f"{said.issuer} may not name credentials {client_id}")
        said.check_signature(client_id, issuer.access_token)
        if not satisfies(held, {"AllOf": list(said.scopes)}):
            raise BadCertificate("ext.certificate.scopes are more than its issuer has")

    def _scopes(self, claims: _Claims) -> ScopeSet:
        if claims.certificate is None:
            held = self._directory.scopes_of(claims.issuer)
        else:
            held = self._directory.expand(claims.certificate.scopes)
        everybody = self._directory.expand([ASSUME_ANONYMOUS])
        if claims.authorized is None:
            return ScopeSet((), held, everybody)
        if not satisfies(ScopeSet((), held, everybody), {"AllOf": claims.authorized}):
            raise Refused("ext.authorizedScopes are more than the client has")
        return ScopeSet((), self._directory.expand(claims.authorized), everybody)


def _read_ext(ext: str) -> Mapping[str, Any]:
    try:
        return open_ext(ext)
    except ValueError:
        raise Refused("ext is not a JSON object in base64") from None


def _read_authorized(scopes: Any) -> Sequence[str] | None:
    if scopes is None:
        return None
    if not isinstance(scopes, list) or not all(isinstance(scope, str) and is_scope(scope) for scope in scopes):
        raise Refused("ext.authorizedScopes is not a list of scopes")
    return scopes


def _check_content(request: SignedRequest, claimed: str) -> None:
    # Of other types the real services keep no body, so that no hash but that of nothing fits.
    content = request.content if is_json(request.content_type) else b""
    if not hmac.compare_digest(payload_hash(content, request.content_type).encode(), claimed.encode()):
        raise Refused("the body is not the one that was signed")
