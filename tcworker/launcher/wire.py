"""Messages over a UNIX stream socket: JSON objects with descriptors beside them.

A message is a header (the text's length and the number of descriptors), then the text. Its descriptors travel with its
first bytes, so that they are there at the latest when its last byte is.
"""

from __future__ import annotations

import json
import os
import socket
import struct
from collections.abc import Iterator, Sequence
from typing import Any

HEADER = struct.Struct("<IB")
MOST_DESCRIPTORS = 64
"""In one message; the kernel takes 253."""

_PIECE = 1 << 16
_FLAGS = getattr(socket, "MSG_CMSG_CLOEXEC", 0)

Message = dict[str, Any]


def encode(message: Message, descriptors: Sequence[int] = ()) -> bytes:
    """The bytes of a message. Whoever sends them sends the descriptors with the first of them."""
    text = json.dumps(message, separators=(",", ":")).encode("ascii")
    return HEADER.pack(len(text), len(descriptors)) + text


class Decoder:
    """Puts messages together again, from bytes and descriptors as they arrive."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._descriptors: list[int] = []

    def feed(self, data: bytes, descriptors: Sequence[int]) -> Iterator[tuple[Message, list[int]]]:
        """Take what arrived, and give the messages that are whole now; their descriptors are the caller's."""
        self._data += data
        self._descriptors += descriptors
        while (message := self._next()) is not None:
            yield message

    def close(self) -> None:
        """Close descriptors of messages that will never be whole."""
        close_all(self._descriptors)
        self._descriptors.clear()

    def _next(self) -> tuple[Message, list[int]] | None:
        if len(self._data) < HEADER.size:
            return None
        size, count = HEADER.unpack_from(self._data)
        end = HEADER.size + size
        # A stream does not keep messages together, nor apart.
        if len(self._data) < end:
            return None
        message = json.loads(bytes(self._data[HEADER.size : end]))
        del self._data[:end]
        descriptors, self._descriptors = self._descriptors[:count], self._descriptors[count:]
        return message, descriptors


def receive(end: socket.socket) -> tuple[bytes, list[int]]:
    """What is there now, C{b""} at the end. The descriptors are not inherited. Raises C{OSError}."""
    data, descriptors, _, _ = socket.recv_fds(end, _PIECE, MOST_DESCRIPTORS, _FLAGS)
    for descriptor in descriptors:
        # Where the flag for that does not exist.
        os.set_inheritable(descriptor, False)
    return data, descriptors


def send_some(end: socket.socket, data: bytes, descriptors: Sequence[int]) -> int:
    """Send what fits, and how many bytes that were; the descriptors are sent if any were. Raises C{OSError}."""
    return socket.send_fds(end, [data], descriptors) if descriptors else end.send(data)


def close_all(descriptors: Sequence[int]) -> None:
    """Close descriptors."""
    for descriptor in descriptors:
        os.close(descriptor)


class Port:
    """A blocking end, for programs that do nothing else meanwhile."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._decoder = Decoder()

    def fileno(self) -> int:
        """For selectors."""
        return self._end.fileno()

    def send(self, message: Message, descriptors: Sequence[int] = ()) -> None:
        """Send a message; the descriptors stay the caller's. Raises C{OSError}."""
        data = encode(message, descriptors)
        sent = send_some(self._end, data, descriptors)
        if sent < len(data):
            self._end.sendall(data[sent:])

    def receive(self) -> list[tuple[Message, list[int]]] | None:
        """Wait for something; C{None} once nobody is at the other end."""
        try:
            data, descriptors = receive(self._end)
        except ConnectionError:
            return None
        return list(self._decoder.feed(data, descriptors)) if data else None

    def close(self) -> None:
        """Close the end."""
        self._decoder.close()
        self._end.close()
