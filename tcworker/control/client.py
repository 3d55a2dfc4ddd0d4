"""The other end of a worker's control socket, for programs without a reactor."""

from __future__ import annotations

import json
import socket

from tcworker.control.orders import Order, address_in, write_order
from tcworker.interfaces import JSON

PATIENCE = 15.0
"""Seconds for the whole call."""

_LONGEST = 64 << 20


class NoWorker(Exception):
    """No worker answers; the text says why and what to do."""


class NobodyThere(NoWorker):
    """Because none runs."""


def call(folder: str, order: Order, patience: float = PATIENCE) -> JSON:
    """Say an order to the worker that has a state directory, and give its answer. Raises L{NoWorker}; blocks."""
    try:
        return json.loads(_exchange(folder, write_order(order), patience))
    except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError):
        raise NobodyThere(
            f"no worker runs with the state directory {folder}: if its own is another one, say --state-dir"
        ) from None
    except PermissionError:
        raise NoWorker(f"{folder} is another user's: call as root, or as the worker's user") from None
    except TimeoutError:
        raise NoWorker(f"the worker with {folder} does not answer: look into its log for what holds it up") from None
    except (OSError, ValueError) as error:
        raise NoWorker(f"the worker with {folder} gave no answer ({error}): it may just have ended") from None


def _exchange(folder: str, line: bytes, patience: float) -> bytes:
    with socket.socket(socket.AF_UNIX) as connection, address_in(folder) as address:
        connection.settimeout(patience)
        connection.connect(address)
        connection.sendall(line + b"\n")
        with connection.makefile("rb") as answer:
            return answer.readline(_LONGEST)
