"""Requests whose bodies take no more room than somebody will read: strangers must not fill the disk."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from enum import Enum
from io import BytesIO
from typing import IO, Any, cast

from twisted.logger import Logger
from twisted.web.server import Request

from tcworker.embedded.faults import ApiError
from tcworker.embedded.payload import BODY_LIMIT

IN_MEMORY = 100_000

_log = Logger()


class Room(Enum):
    """How much of a body is kept.

    @cvar NONE: nothing, for nobody will read it.
    @cvar CALL: as much as a call may have, and of one that is too long as much as shows it.
    @cvar UPLOAD: all, in a file of its own if it is large, which need only be linked into place.
    """

    NONE = 0
    CALL = 1
    UPLOAD = 2

    def limit(self, length: int | None) -> int:
        """Give how many bytes are kept of a body of some length, or of one whose length is not known."""
        if self is Room.CALL:
            return BODY_LIMIT + 1
        # Uploads of unknown length are refused.
        return length or 0 if self is Room.UPLOAD else 0

    def open(self, spool: str, length: int | None) -> IO[bytes]:
        """Give a file for a body. Raises C{OSError}.

        @param spool: the folder for those that are large.
        @param length: of the body; C{None} if it is not known.
        """
        if self is Room.UPLOAD and (length or 0) >= IN_MEMORY:
            return tempfile.NamedTemporaryFile(dir=spool)
        if self is Room.CALL:
            return cast(IO[bytes], tempfile.SpooledTemporaryFile(IN_MEMORY, dir=spool))
        return BytesIO()


class SiteRequest(Request):
    """A request, on a connection of L{tcworker.embedded.site}.

    @ivar room: for its body, as was found when it began to come.
    @ivar lost: why its body could not be kept; C{None} if it was.
    """

    content: Any
    room = Room.NONE
    lost: OSError | None = None

    def gotLength(self, length: int | None) -> None:
        """Make room for the body, which begins. See the base."""
        channel: Any = self.channel
        # The base learns both from its channel only when the body is there.
        self.room = channel.site.welcome(self, channel._command.decode("latin-1"), channel._path.decode("latin-1"))
        self._left = self.room.limit(length)
        self.content = BytesIO()
        try:
            self.content = self.room.open(channel.site.spool, length)
        except OSError as error:
            self._lose(error)

    def handleContentChunk(self, data: bytes) -> None:
        """Keep a piece of the body if there is room for it."""
        data = data[: self._left]
        self._left -= len(data)
        if self.lost is None and data:
            try:
                self.content.write(data)
            except OSError as error:
                self._lose(error)

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        """Answer: the body is there. See the base."""
        try:
            # What is still in memory is written now. From its end, the base would read forms, in the reactor.
            self.content.seek(0)
        except OSError as error:
            self._lose(error)
        super().requestReceived(command, path, version)

    def _lose(self, error: OSError) -> None:
        _log.warn("the body of a request cannot be kept: {error}", error=str(error))
        self.lost = error
        with suppress(OSError):
            self.content.close()
        self.content = _Lost()


class _Lost(BytesIO):
    """A body that could not be kept."""

    def read(self, _: int | None = -1, /) -> bytes:
        """Raise L{ApiError}."""
        raise ApiError("InternalServerError", "The body could not be kept: this server has no room for it now.")
