"""In which forms secrets are looked for; pure."""

from __future__ import annotations

import json
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterable, Iterator
from urllib.parse import quote

from tcworker.config_schema import SHORTEST_MASK
from tcworker.interfaces import Credentials


def forms_of(secret: str) -> list[bytes]:
    """Give a secret as it may be printed: as it is, line by line, and as JSON, URLs and base64 would have it."""
    text = secret.strip()
    if not long_enough([_encoded(text)]):
        return []
    # A line of its own has what the worker puts in front of each line of a message.
    lines = [line.strip() for line in text.splitlines()]
    quoted = [json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1], quote(_encoded(text), safe="")]
    return long_enough([*map(_encoded, (text, *lines, *quoted)), *_in_base64(_encoded(text))])


def forms_of_credentials(credentials: Credentials) -> list[bytes]:
    """Give the secret parts of credentials, each as it is."""
    parts = [credentials.access_token, *_of_certificate(credentials.certificate or "")]
    return long_enough(map(_encoded, parts))


def long_enough(forms: Iterable[bytes]) -> list[bytes]:
    """Leave out what is too short, and what is there already."""
    return list(dict.fromkeys(form for form in forms if len(form) >= SHORTEST_MASK))


def _encoded(text: str) -> bytes:
    try:
        # Variables and arguments may be bytes that are no UTF-8.
        return text.encode(errors="surrogateescape")
    except UnicodeEncodeError:
        return text.encode(errors="surrogatepass")


def _of_certificate(certificate: str) -> Iterator[str]:
    """The certificate as it is and escaped as a text within JSON, and what in it is nobody's name."""
    yield certificate
    yield json.dumps(certificate)[1:-1]
    try:
        parts = json.loads(certificate)
    except ValueError:
        return
    if isinstance(parts, dict):
        yield from (parts[name] for name in ("signature", "seed") if isinstance(parts.get(name), str))


def _in_base64(secret: bytes) -> Iterator[bytes]:
    """What all texts in base64 have in common that have a secret in them, for each place where it may begin."""
    for before in range(3):
        padded = bytes(before) + secret
        # A character is six bits: those that share some with what is before or behind are anything.
        begin, end = -(-before * 8 // 6), len(padded) * 8 // 6
        for encode in (b64encode, urlsafe_b64encode):
            yield encode(padded)[begin:end]
