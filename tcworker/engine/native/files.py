"""The worker's side of what opens files with a task's rights (L{tcworker.launcher.opener})."""

from __future__ import annotations

import os
import socket
from collections import deque
from collections.abc import AsyncIterator, Iterator
from itertools import count

from twisted.internet.defer import Deferred

from tcworker.engine.native.supervisor import Supervisor
from tcworker.errors import ArchiveError, InternalError, NotAFile, NotFound, NotReadable
from tcworker.filebody import DescriptorFile
from tcworker.interfaces import ArchiveFault, IArchivedFile
from tcworker.launcher.wire import Message, close_all
from tcworker.process import Channel, IReactor
from tcworker.waiting import Threads

_FAULTS: dict[str, type[ArchiveError]] = {"missing": NotFound, "unreadable": NotReadable, "kind": NotAFile}
_PIECE = 1 << 16

Answer = tuple[Message, list[int]]


class Files:
    """What a task left, opened by a process that has the task's rights."""

    def __init__(self, reactor: IReactor, supervisor: Supervisor) -> None:
        self._waiting: deque[Deferred[Answer]] = deque()
        self._keys = count(1)
        ours, its = socket.socketpair()
        supervisor.open_files(its)
        self._channel = Channel(reactor, ours, self._received, self._lost)

    async def open(self, path: str) -> IArchivedFile:
        """See L{tcworker.interfaces.IResult.archive_file}."""
        message, descriptors = await self._ask({"do": "open", "path": path})
        _raise_fault(message)
        return DescriptorFile(path, descriptors[0])

    async def walk(self, path: str) -> AsyncIterator[IArchivedFile | ArchiveFault]:
        """See L{tcworker.interfaces.IResult.archive_folder}."""
        key = next(self._keys)
        message, descriptors = await self._ask({"do": "list", "key": key, "path": path})
        _raise_fault(message)
        try:
            while True:
                for entry in _entries(message, descriptors):
                    yield entry
                if message["done"]:
                    return
                message, descriptors = await self._ask({"do": "more", "key": key})
        finally:
            close_all(descriptors)
            self._channel.send({"do": "forget", "key": key})

    async def tar(self, threads: Threads) -> AsyncIterator[bytes]:
        """The task's folder as a tar. Nothing else can be asked before its end."""
        reading, writing = os.pipe()
        self._channel.send({"do": "tar"}, [writing])
        try:
            while data := await threads.run(os.read, reading, _PIECE):
                yield data
        finally:
            os.close(reading)

    def close(self) -> None:
        """Nothing more is asked."""
        self._channel.close()

    def _ask(self, message: Message) -> Deferred[Answer]:
        answer: Deferred[Answer] = Deferred()
        self._waiting.append(answer)
        self._channel.send(message)
        if not self._channel.connected:
            self._lost()
        return answer

    def _received(self, message: Message, descriptors: list[int]) -> None:
        answer = self._waiting.popleft()
        if answer.called:
            close_all(descriptors)
        else:
            answer.callback((message, descriptors))

    def _lost(self) -> None:
        waiting, self._waiting = self._waiting, deque()
        for answer in waiting:
            if not answer.called:
                answer.errback(InternalError("the process that reads what the task left is gone"))


def _entries(message: Message, descriptors: list[int]) -> Iterator[IArchivedFile | ArchiveFault]:
    """The entries of one answer; descriptors leave the list as they find an owner."""
    for entry in message["entries"]:
        if "fault" in entry:
            yield ArchiveFault(entry["path"], _FAULTS[entry["fault"]].reason, entry["message"])
        else:
            yield DescriptorFile(entry["path"], descriptors.pop(0))


def _raise_fault(message: Message) -> None:
    if "fault" in message:
        raise _FAULTS[message["fault"]](message["message"])
