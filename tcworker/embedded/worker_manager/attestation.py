"""Azure's attested documents: a text in a PKCS#7 message, signed by one of its certificates (contracts of the
queue, 4.1).

C{cryptography} makes such messages and reads their certificates, but does not check them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import pkcs7
from cryptography.x509.oid import NameOID

from tcworker.embedded.worker_manager.der import OCTETS, SEQUENCE, elements, inside

SUBJECT = "metadata.azure.com"


class BadAttestation(Exception):
    """A document that attests nothing."""


def attested(message: bytes, issuers: Sequence[x509.Certificate], now: int) -> bytes:
    """Give the text in a message, if the right one signed it. Raises L{BadAttestation}.

    @param message: in DER.
    @param issuers: who may have issued the certificate of the one who signed.
    @param now: in milliseconds.
    """
    content, certificate, signature = _take_apart(message)
    _check_signature(certificate, content, signature)
    _check_subject(certificate)
    moment = datetime.fromtimestamp(now / 1000, UTC)
    if not any(_is_issued(certificate, issuer, moment) for issuer in issuers):
        raise BadAttestation("none of the known issuers issued the certificate, or not for now")
    return content


def _take_apart(message: bytes) -> tuple[bytes, x509.Certificate, bytes]:
    """Give content, certificate and signature of a message with one of each."""
    try:
        [certificate] = pkcs7.load_der_pkcs7_certificates(message)
        [_, wrapped] = elements(inside(message, SEQUENCE))
        [_, _, content, *_, signers] = elements(inside(wrapped[1], SEQUENCE))
        [_, text] = elements(content[1])
        # The real one knows no attributes that are signed in the place of the content: there are exactly five parts.
        [_, _, _, _, signature] = elements(inside(signers[1], SEQUENCE))
        return inside(text[1], OCTETS), certificate, signature[1]
    except (ValueError, UnsupportedAlgorithm, x509.InvalidVersion):
        raise BadAttestation("it is not a signed PKCS#7 message with one certificate and one signature") from None


def _check_signature(certificate: x509.Certificate, content: bytes, signature: bytes) -> None:
    try:
        key = certificate.public_key()
        if not isinstance(key, RSAPublicKey):
            raise BadAttestation("the certificate's key is not one of RSA")
        key.verify(signature, content, PKCS1v15(), SHA256())
    except (InvalidSignature, UnsupportedAlgorithm, ValueError):
        raise BadAttestation("the signature is not that of the certificate's owner") from None


def _check_subject(certificate: x509.Certificate) -> None:
    try:
        names = [str(name.value) for name in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    except ValueError:
        names = []
    if not any(name == SUBJECT or name.endswith(f".{SUBJECT}") for name in names):
        raise BadAttestation(f"the certificate is not one of {SUBJECT}")


def _is_issued(certificate: x509.Certificate, issuer: x509.Certificate, moment: datetime) -> bool:
    if not all(one.not_valid_before_utc <= moment <= one.not_valid_after_utc for one in (certificate, issuer)):
        return False
    try:
        certificate.verify_directly_issued_by(issuer)
        constraints = issuer.extensions.get_extension_for_class(x509.BasicConstraints)
    except (ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound, UnsupportedAlgorithm):
        return False
    return constraints.value.ca
