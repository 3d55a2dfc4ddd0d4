"""Who signed a request (contracts of the queue, 3.1 to 3.4)."""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from twisted.internet.interfaces import IReactorTime

from tcworker.client.hawk import Authorization, open_ext, payload_hash
from tcworker.client.scopes import satisfies
from tcworker.embedded import dates
from tcworker.embedded.auth.certificates import BadCertificate, Certificate, temporary_token
from tcworker.embedded.auth.roles import Roles
from tcworker.embedded.calls import Caller
from tcworker.embedded.faults import ApiError
from tcworker.interfaces import Credentials

SKEW = 15 * 60


@dataclass(frozen=True)
class SignedRequest:
    """What a signature is about.

    @ivar target: the request's target as it came, nothing decoded.
    @ivar host: in lower case.
    @ivar authorization: the header's value.
    """

    method: str
    target: str
    host: str
    port: int
    authorization: str | None = None
    content_type: str = ""
    content: bytes = b""


@dataclass(frozen=True)
class Client:
    """A permanent client.

    @ivar scopes: with all roles expanded.
    """

    credentials: Credentials
    scopes: Sequence[str]


class _Refused(Exception):
    """A signature that is not good; the message says why."""


class Authenticator:
    """Knows the clients and checks what they sign."""

    def __init__(self, clock: IReactorTime, clients: Sequence[Client], roles: Roles) -> None:
        self._clock = clock
        self._clients = {client.credentials.client_id: client for client in clients}
        self._roles = roles

    def authenticate(self, request: SignedRequest) -> Caller:
        """Say who signed; nobody in particular without a signature. Raises L{ApiError} for a wrong one."""
        if request.authorization is None:
            return Caller("anonymous", self._roles.anonymous)
        try:
            return self._verify(request, request.authorization)
        except (BadCertificate, _Refused) as refusal:
            raise ApiError("AuthenticationFailed", f"Authentication failed: {refusal}") from None

    def _verify(self, request: SignedRequest, authorization: str) -> Caller:
        header = _read_header(authorization)
        if abs(self._clock.seconds() - header.timestamp) > SKEW:
            raise _Refused("the request's time is more than 15 minutes from the server's")
        ext = _read_ext(header.ext)
        # What the certificate says is true only if the MAC, made with its token, is right as well.
        token, scopes, expires = self._claims(header.client_id, ext.get("certificate"))
        _check_mac(request, header, token)
        if header.hash:
            _check_content(request, header.hash)
        return self._caller(header.client_id, scopes, expires, ext.get("authorizedScopes"))

    def _claims(self, client_id: str, certificate: Any) -> tuple[str, Sequence[str], int | None]:
        """Give the access token, scopes and end that go with a name, as far as they are true if the MAC is right."""
        if certificate is None:
            client = self._client(client_id)
            return client.credentials.access_token, client.scopes, None
        said = Certificate.from_json(certificate)
        issuer = self._client(said.issuer or client_id)
        self._check_certificate(client_id, said, issuer)
        return temporary_token(issuer.credentials.access_token, said.seed), said.scopes, said.expiry

    def _check_certificate(self, client_id: str, said: Certificate, issuer: Client) -> None:
        said.check_times(dates.now(self._clock))
        if said.issuer == client_id:
            raise BadCertificate("ext.certificate.issuer must not be the name it gives")
        if said.issuer and not satisfies(issuer.scopes, f"auth:create-client:{client_id}"):
            raise BadCertificate(f"{said.issuer} may not name credentials {client_id}")
        said.check_signature(client_id, issuer.credentials.access_token)
        if not satisfies(issuer.scopes, {"AllOf": list(said.scopes)}):
            raise BadCertificate("ext.certificate.scopes are more than its issuer has")

    def _client(self, client_id: str) -> Client:
        try:
            return self._clients[client_id]
        except KeyError:
            raise _Refused(f"there is no client {client_id}") from None

    def _caller(self, client_id: str, scopes: Sequence[str], expires: int | None, authorized: Any) -> Caller:
        if authorized is not None:
            if not isinstance(authorized, list) or not all(isinstance(scope, str) for scope in authorized):
                raise _Refused("ext.authorizedScopes is not a list of scopes")
            held = self._roles.expand([*scopes, *self._roles.anonymous])
            if not satisfies(held, {"AllOf": authorized}):
                raise _Refused("ext.authorizedScopes are more than the client has")
            scopes = authorized
        return Caller(client_id, (*self._roles.expand(scopes), *self._roles.anonymous), expires)


def _read_header(authorization: str) -> Authorization:
    try:
        return Authorization.parse(authorization)
    except ValueError as fault:
        raise _Refused(str(fault)) from None


def _read_ext(ext: str) -> Mapping[str, Any]:
    try:
        return open_ext(ext)
    except ValueError:
        raise _Refused("ext is not a JSON object in base64") from None


def _check_mac(request: SignedRequest, header: Authorization, token: str) -> None:
    if not header.is_signed_with(token, request.method, request.target, request.host, request.port):
        raise _Refused("the MAC is wrong: another access token, or not the request that was signed")


def _check_content(request: SignedRequest, claimed: str) -> None:
    if not hmac.compare_digest(payload_hash(request.content, request.content_type), claimed):
        raise _Refused("the body is not the one that was signed")
