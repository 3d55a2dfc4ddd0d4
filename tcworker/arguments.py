"""Words of a command line, read: each function gives a value or says why it is none."""

from __future__ import annotations

import re
from argparse import ArgumentTypeError
from urllib.parse import urlsplit


def param(text: str) -> tuple[str, str]:
    """Read C{KEY=VALUE}."""
    key, equals, value = text.partition("=")
    if not equals or not key.isidentifier():
        raise ArgumentTypeError(f"{text} is not KEY=VALUE, with letters, digits and _ in KEY")
    return key, value


def count(text: str) -> int:
    """Read how many of something there are to be."""
    # int() takes more than people mean: blanks, underscores, digits of any script.
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 255:
        raise ArgumentTypeError(f"{text} is not a number from 1 to 255")
    return int(text)


def seconds(text: str) -> float:
    """Read a time."""
    if not re.fullmatch(r"[0-9]{1,7}(\.[0-9]{1,6})?", text):
        raise ArgumentTypeError(f"{text} is no number of seconds like 30 or 2.5")
    return float(text)


def port(text: str) -> int:
    """Read a port, or 0 for any."""
    if not text.isascii() or not text.isdigit() or int(text) > 65535:
        raise ArgumentTypeError(f"{text} is not a number from 0 to 65535")
    return int(text)


def pool(text: str) -> str:
    """Read the id of a worker pool."""
    # As the queue wants it (contracts of the queue, 0.8).
    if not re.fullmatch(r"[a-zA-Z0-9_-]{1,38}/[a-z]([-a-z0-9]{0,36}[a-z0-9])?", text):
        raise ArgumentTypeError(f"{text} is no worker pool's id like local/tasks")
    return text


def root_url(text: str) -> str:
    """Read what a Taskcluster is called by; gives it without a slash at its end."""
    url = text.removesuffix("/")
    if not re.fullmatch(r"https?://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?", url) or not _has_port(url):
        raise ArgumentTypeError(f"{text} is no root URL like https://tc.example.com: scheme, host and port, no path")
    return url


def _has_port(url: str) -> bool:
    try:
        return urlsplit(url).port != 0
    except ValueError:
        return False
