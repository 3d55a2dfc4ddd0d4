"""Clouds whose keys are ours: they say of a machine whatever a test wants."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import jwt
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7
from cryptography.x509.oid import NameOID

from tcworker.embedded.worker_manager.proofs import GoogleKeys, ProofKeys
from tests.embedded.wire import START

ROOT_URL = "http://taskcluster.test:80"
MOMENT = datetime.fromtimestamp(START, UTC)
DOCUMENT = {
    **{"accountId": "1", "architecture": "x86_64", "availabilityZone": "us-east-1a", "imageId": "ami-1"},
    **{"instanceType": "m5.large", "privateIp": "10.0.0.1", "region": "us-east-1"},
}


@cache
def key(name: str) -> RSAPrivateKey:
    """Give the key of somebody: making one takes a moment, so each is made once."""
    return rsa.generate_private_key(65537, 2048)


def aws(document: Mapping[str, Any], signer: str = "aws") -> dict[str, str]:
    """Make the proof of an instance."""
    text = json.dumps(document, indent=2)
    signature = key(signer).sign(text.encode(), PKCS1v15(), SHA256())
    return {"document": text, "signature": b64encode(signature).decode()}


def google(instance_id: str, signer: str = "google", project: str = "project", **more: Any) -> dict[str, str]:
    """Make the proof of an instance."""
    machine = {"project_id": project, "instance_id": instance_id}
    said = {"aud": ROOT_URL, "sub": "account", "iss": "https://accounts.google.com", "iat": START, "exp": START + 3600}
    return {"token": jwt.encode({**said, "google": {"compute_engine": machine}, **more}, key(signer), "RS256")}


@dataclass(frozen=True)
class Named:
    """Somebody with a certificate."""

    name: str
    certificate: x509.Certificate


def certificate(name: str, issuer: str, is_ca: bool = False, ends: int = 1) -> Named:
    """Issue a certificate for the key of that name, which ends some days from now."""
    subject, issued_by = (x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, one)]) for one in (name, issuer))
    builder = (
        x509.CertificateBuilder(issued_by, subject, key(name).public_key(), x509.random_serial_number())
        .not_valid_before(MOMENT - timedelta(days=2))
        .not_valid_after(MOMENT + timedelta(days=ends))
        .add_extension(x509.BasicConstraints(is_ca, None), critical=True)
    )
    return Named(name, builder.sign(key(issuer), SHA256()))


AUTHORITY = certificate("authority", "authority", is_ca=True)


def azure(said: Mapping[str, Any], signer: Named | None = None, attributes: bool = False) -> dict[str, str]:
    """Make the proof of a machine; C{attributes} for one that signs them in the place of the content."""
    who = signer or certificate("eastus.metadata.azure.com", "authority")
    expires = (MOMENT + timedelta(hours=6)).strftime("%m/%d/%y %H:%M:%S -0000")
    content = json.dumps({"timeStamp": {"expiresOn": expires}, **said}).encode()
    options = [pkcs7.PKCS7Options.Binary, *(() if attributes else (pkcs7.PKCS7Options.NoAttributes,))]
    builder = pkcs7.PKCS7SignatureBuilder().set_data(content).add_signer(who.certificate, key(who.name), SHA256())
    return {"document": b64encode(builder.sign(Encoding.DER, options)).decode()}


def proof_keys() -> ProofKeys:
    """Give what knows the machines of these clouds."""
    return ProofKeys(
        aws={"us-east-1": key("aws").public_key()},
        google=GoogleKeys([key("google").public_key()], "project", "account"),
        azure=[AUTHORITY.certificate],
    )
