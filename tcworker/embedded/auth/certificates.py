"""Temporary credentials: making them, and checking those that somebody presents (contracts of the queue, 3.3)."""

from __future__ import annotations

import hmac
import json
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import slugid

from tcworker.client.scopes import is_scope
from tcworker.embedded import dates
from tcworker.interfaces import Credentials

SKEW = 5 * dates.MINUTE
LONGEST_LIFE = 31 * dates.DAY
SEED_LENGTH = 44


class BadCertificate(Exception):
    """A certificate that proves nothing; the message says why."""


@dataclass(frozen=True)
class Certificate:
    """What a certificate says.

    @ivar issuer: the client who issued it under another name; C{None} for an unnamed one.
    @ivar start: from when it is good, in milliseconds, as C{expiry}.
    """

    scopes: Sequence[str]
    start: int
    expiry: int
    seed: str
    issuer: str | None
    signature: str

    @classmethod
    def from_json(cls, certificate: Any) -> Certificate:
        """Read one. Raises L{BadCertificate}."""
        try:
            return cls._read(certificate)
        except (KeyError, TypeError, AttributeError) as error:
            raise BadCertificate(f"ext.certificate is not a certificate: {error!r}") from None

    @classmethod
    def _read(cls, certificate: Any) -> Certificate:
        if certificate["version"] != 1:
            raise BadCertificate("ext.certificate.version must be 1")
        # All of it is a stranger's until the signature is checked, and the check itself needs texts.
        if not isinstance(certificate["scopes"], list):
            raise BadCertificate("ext.certificate.scopes must be a list")
        texts = [certificate["seed"], certificate["signature"], certificate.get("issuer", ""), *certificate["scopes"]]
        # A line break in one of them would make two lines of one in what is signed.
        if not all(isinstance(text, str) and is_scope(text) for text in texts):
            raise BadCertificate("ext.certificate's seed, signature, issuer and scopes must be of printable ASCII")
        if "clientId" in certificate and not certificate.get("issuer"):
            raise BadCertificate("ext.certificate.clientId must not be there without an issuer")
        if len(certificate["seed"]) != SEED_LENGTH:
            raise BadCertificate(f"ext.certificate.seed must have {SEED_LENGTH} characters")
        if type(certificate["start"]) is not int or type(certificate["expiry"]) is not int:
            raise BadCertificate("ext.certificate.start and expiry must be numbers")
        scopes, start, expiry, seed = (certificate[name] for name in ("scopes", "start", "expiry", "seed"))
        return cls(scopes, start, expiry, seed, certificate.get("issuer"), certificate["signature"])

    def text(self, client_id: str) -> str:
        """Give what is signed; C{client_id} is the name that a named certificate gives."""
        named = [f"clientId:{client_id}", f"issuer:{self.issuer}"] if self.issuer else []
        times = [f"seed:{self.seed}", f"start:{self.start}", f"expiry:{self.expiry}"]
        return "\n".join(["version:1", *named, *times, "scopes:", *self.scopes])

    def check_times(self, now: int) -> None:
        """Raise L{BadCertificate} unless it is good now, give or take five minutes."""
        if self.start > now + SKEW:
            raise BadCertificate("ext.certificate.start is in the future")
        if self.expiry < now - SKEW:
            raise BadCertificate("ext.certificate has expired")
        if self.expiry - self.start > LONGEST_LIFE:
            raise BadCertificate("ext.certificate is good for more than 31 days")

    def check_signature(self, client_id: str, issuer_token: str) -> None:
        """Raise L{BadCertificate} unless its issuer signed it."""
        if not hmac.compare_digest(sign(issuer_token, self.text(client_id)), self.signature.encode()):
            raise BadCertificate("ext.certificate.signature is not its issuer's")


def sign(token: str, text: str) -> bytes:
    """Give the signature of a certificate's text."""
    return b64encode(hmac.digest(token.encode(), text.encode(), "sha256"))


def temporary_token(issuer_token: str, seed: str) -> str:
    """Give the access token that belongs to a certificate."""
    return urlsafe_b64encode(hmac.digest(issuer_token.encode(), seed.encode(), "sha256")).rstrip(b"=").decode()


def issue(issuer: Credentials, client_id: str, scopes: Sequence[str], start: int, expiry: int) -> Credentials:
    """Make named temporary credentials with an issuer's own."""
    seed = slugid.v4() + slugid.v4()
    unsigned = Certificate(scopes, start, expiry, seed, issuer.client_id, "")
    certificate = {
        "version": 1,
        "scopes": list(scopes),
        "start": start,
        "expiry": expiry,
        "seed": seed,
        "issuer": issuer.client_id,
        "signature": sign(issuer.access_token, unsigned.text(client_id)).decode(),
    }
    return Credentials(client_id, temporary_token(issuer.access_token, seed), json.dumps(certificate))
