"""What is said on a worker's control socket: an order as one line of JSON, and a line of JSON in answer."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

SOCKET = "control"
"""The socket's name in the state directory, which nobody but the worker's own user may enter."""

DRAIN, STOP, STATUS = "drain", "stop", "status"

ORDERS = (DRAIN, STOP, STATUS)

LIST_CACHES, PURGE_CACHE, CLEAR_CACHES = "list caches", "purge cache", "clear caches"

CACHE_ORDERS = (LIST_CACHES, PURGE_CACHE, CLEAR_CACHES)

NO_ORDER = "found no order"
"""What a worker says, too, of an order that came with a later one."""

LONGEST = 1 << 19
"""Bytes of an order: the name of a cache is as long as a payload may have it."""

MOST_SECONDS = 1e7

_LONGEST_PATH = 100
"""Bytes of a socket's address: some systems take no more."""


@dataclass(frozen=True)
class Order:
    """One call.

    @ivar seconds: in which the worker must be gone; C{None} for as long as it takes, or is configured.
    @ivar cache: the name of the one to purge.
    """

    what: str
    seconds: float | None = None
    cache: str = ""


def write_order(order: Order) -> bytes:
    """Give the line that says an order, without its end."""
    return json.dumps({"order": order.what, "seconds": order.seconds, "cache": order.cache}).encode()


def read_order(line: bytes) -> Order:
    """Read such a line. Raises C{ValueError} that says what is wrong."""
    try:
        said = json.loads(line)
    except RecursionError:
        raise ValueError("found JSON that is nested too deeply to be read") from None
    if not isinstance(said, dict) or said.get("order") not in (*ORDERS, *CACHE_ORDERS):
        raise ValueError(f"{NO_ORDER}, expected {' or '.join((*ORDERS, *CACHE_ORDERS))}")
    cache = said.get("cache", "")
    if not isinstance(cache, str) or (said["order"] == PURGE_CACHE and not cache):
        raise ValueError("found no name of a cache, expected a text")
    return Order(said["order"], _read_seconds(said.get("seconds")), cache)


def _read_seconds(seconds: object) -> float | None:
    if seconds is None:
        return None
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds <= MOST_SECONDS:
        raise ValueError(f"found no number of seconds, expected 0 to {MOST_SECONDS:.0f}")
    return float(seconds)


@contextmanager
def address_in(folder: str) -> Iterator[str]:
    """Give an address of the socket that is short enough, however long the folder's path is, while this lasts."""
    path = os.path.join(folder, SOCKET)
    if len(os.fsencode(path)) <= _LONGEST_PATH:
        yield path
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{descriptor}/{SOCKET}"
    finally:
        os.close(descriptor)
