"""How a machine of a cloud proves which one it is (contracts of the queue, 4.1).

The clouds' own keys are not here: who wants such machines, as a test does, brings the keys of a cloud of his own.
"""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import jwt
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256

from tcworker.embedded import dates
from tcworker.embedded.worker_manager.attestation import BadAttestation, attested
from tcworker.interfaces import JSON

AWS_DETAILS = (
    "privateIp",
    "accountId",
    "availabilityZone",
    "architecture",
    "imageId",
    "instanceType",
    "region",
)

ISSUERS = ("https://accounts.google.com", "accounts.google.com")


@dataclass(frozen=True)
class GoogleKeys:
    """What proves machines of a Google project.

    @ivar keys: those that sign its tokens.
    @ivar service_account: the id (C{sub}) of the account as which its workers run.
    """

    keys: Sequence[RSAPublicKey]
    project: str
    service_account: str


@dataclass(frozen=True)
class ProofKeys:
    """By what machines of the clouds are known; a cloud without keys is not there.

    @ivar aws: the keys that sign identity documents, by region.
    @ivar azure: the certificates of those who issue the certificates that sign attested documents.
    """

    aws: Mapping[str, RSAPublicKey] | None = None
    google: GoogleKeys | None = None
    azure: Sequence[x509.Certificate] | None = None


@dataclass(frozen=True)
class Claim:
    """Who somebody says to be, and by what.

    @ivar identity: what is recorded of that worker's machine.
    @ivar is_awaited: whether that worker has not registered yet.
    @ivar root_url: for whom the proof must be made.
    @ivar now: in milliseconds.
    """

    proof: JSON
    worker_id: str
    identity: Mapping[str, str]
    is_awaited: bool
    root_url: str
    now: int


class BadProof(Exception):
    """A proof that proves nothing; the message says no more than the real one, which helps no attacker."""


def check_aws(keys: Mapping[str, RSAPublicKey], claim: Claim) -> None:
    """Compare a signed instance identity document with what is recorded. Raises L{BadProof}."""
    if not claim.is_awaited:
        raise BadProof("This worker is either stopped or running. No need to register")
    document, signature = claim.proof.get("document"), claim.proof.get("signature")
    if not document or not signature:
        raise BadProof("Request must include both a document (string) and a signature")
    said = _read_signed(keys, document, signature)
    expected = {name: claim.identity.get(name) for name in AWS_DETAILS} | {"instanceId": claim.worker_id}
    if any(said.get(name) != value for name, value in expected.items()):
        raise BadProof("Instance validation error")


def _read_signed(keys: Mapping[str, RSAPublicKey], document: str, signature: str) -> Mapping[str, JSON]:
    try:
        # Whose key it must be is in the document itself: that of its region.
        said: Mapping[str, JSON] = json.loads(document)
        key = keys[said["region"]]
        key.verify(b64decode(signature), document.encode(), PKCS1v15(), SHA256())
    except (ValueError, TypeError, LookupError, RecursionError, InvalidSignature):
        raise BadProof("Instance identity document validation error") from None
    return said


def check_google(keys: GoogleKeys, claim: Claim) -> None:
    """Compare an identity token of a machine with what is recorded. Raises L{BadProof}."""
    token = claim.proof.get("token")
    said = next(filter(None, (_read_token(key, token, claim) for key in keys.keys)), None) if token else None
    if said is None or said.get("sub") != keys.service_account or not claim.is_awaited:
        raise BadProof("Token validation error")
    google = said.get("google")
    machine = google.get("compute_engine") if isinstance(google, dict) else None
    expected = {"project_id": keys.project, "instance_id": claim.worker_id}
    if not isinstance(machine, dict) or any(machine.get(name) != value for name, value in expected.items()):
        raise BadProof("Token validation error")


def _read_token(key: RSAPublicKey, token: str, claim: Claim) -> Mapping[str, JSON] | None:
    # Its dates are looked at by our own clock, below.
    options: jwt.types.Options = {
        "require": ["exp", "iat", "aud", "sub"],
        "verify_exp": False,
        "verify_iat": False,
        "verify_nbf": False,
    }
    try:
        said: Mapping[str, JSON] = jwt.decode(
            token, key, ["RS256"], options=options, audience=claim.root_url, issuer=ISSUERS
        )
        good = said["iat"] - 300 <= claim.now / 1000 < said["exp"] + 300
    except (jwt.PyJWTError, TypeError, ValueError, RecursionError):
        return None
    return said if good else None


def check_azure(issuers: Sequence[x509.Certificate], claim: Claim) -> None:
    """Compare an attested document with what is recorded. Raises L{BadProof}."""
    try:
        said = json.loads(attested(b64decode(claim.proof.get("document", "")), issuers, claim.now))
        same = said["vmId"] == claim.identity["vmId"]
        good = dates.read_leniently(said["timeStamp"]["expiresOn"]) > claim.now
    except (BadAttestation, ValueError, TypeError, LookupError, RecursionError):
        raise BadProof("Signature validation error") from None
    if not (same and good and claim.is_awaited):
        raise BadProof("Signature validation error")
