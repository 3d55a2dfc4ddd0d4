"""The URL of the broker, with a password that no process list shows."""

from __future__ import annotations

from collections.abc import MutableMapping
from urllib.parse import quote

VARIABLE = "PULSE_PASSWORD"


def with_password(url: str | None, environ: MutableMapping[str, str]) -> str | None:
    """Give a broker's URL with the password of the environment, if it names a user and no password of its own.

    The variable is taken out of the environment, so that no process started later has it.
    """
    password = environ.pop(VARIABLE, "")
    if not url or not password:
        return url
    scheme, separator, rest = url.partition("://")
    user, at, place = rest.partition("@")
    # What cannot be read is refused by who reads it, and must not be shown before.
    if not at or ":" in user:
        return url
    return f"{scheme}{separator}{user}:{quote(password, safe='')}@{place}"
