"""The worker's side of what opens files with a task's rights (L{tcworker.launcher.opener})."""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncGenerator, Iterator, Sequence

from twisted.internet.defer import Deferred

from tcworker.engine.native.means import Means
from tcworker.engine.native.supervisor import SupervisorLink
from tcworker.errors import ArchiveError, InternalError, NotAFile, NotFound, NotReadable
from tcworker.filebody import DescriptorFile
from tcworker.interfaces import ArchiveFault, IArchivedFile
from tcworker.launcher.wire import Message, close_all
from tcworker.process import Channel, IReactor

_FAULTS: dict[str, type[ArchiveError]] = {"missing": NotFound, "unreadable": NotReadable, "kind": NotAFile}
_PIECE = 1 << 16

Answer = tuple[Message, list[int]]


async def open_file(means: Means, supervisor: SupervisorLink, path: str) -> IArchivedFile:
    """See L{tcworker.interfaces.IResult.archive_file}."""
    opener = _Opener(means.reactor, supervisor)
    try:
        message, descriptors = await opener.ask({"do": "open", "path": path})
    finally:
        opener.close()
    _raise_fault(message)
    return DescriptorFile(path, descriptors[0])


async def walk(
    means: Means, supervisor: SupervisorLink, path: str
) -> AsyncGenerator[IArchivedFile | ArchiveFault, None]:
    """See L{tcworker.interfaces.IResult.archive_folder}."""
    opener = _Opener(means.reactor, supervisor)
    descriptors: list[int] = []
    try:
        message, descriptors = await opener.ask({"do": "list", "path": path})
        _raise_fault(message)
        while True:
            for entry in _entries(message, descriptors):
                yield entry
            if message["done"]:
                return
            message, descriptors = await opener.ask({"do": "more"})
    finally:
        # Those that were opened ahead and that nobody took.
        close_all(descriptors)
        opener.close()


async def tar(means: Means, supervisor: SupervisorLink) -> AsyncGenerator[bytes, None]:
    """See L{tcworker.interfaces.IResult.archive}."""
    opener = _Opener(means.reactor, supervisor, packs=True)
    # Through a pipe of its own, so that a slow reader holds it up.
    reading, writing = os.pipe()
    try:
        opener.tell({"do": "tar"}, [writing])
        while data := await means.threads.run(os.read, reading, _PIECE):
            yield data
    finally:
        opener.close()
        os.close(reading)


class _Opener:
    """A process that has the task's rights; it ends with its last question."""

    def __init__(self, reactor: IReactor, supervisor: SupervisorLink, packs: bool = False) -> None:
        self._answer: Deferred[Answer] | None = None
        ours, its = socket.socketpair()
        supervisor.open_files(its, packs)
        self._channel = Channel(reactor, ours, self._received, self._lost)

    def ask(self, message: Message) -> Deferred[Answer]:
        """Ask, one thing at a time."""
        answer = self._answer = Deferred()
        self._channel.send(message)
        return answer

    def tell(self, message: Message, descriptors: Sequence[int]) -> None:
        """Say what has no answer; the descriptors are no longer ours."""
        self._channel.send(message, descriptors)

    def close(self) -> None:
        """Nothing more is asked."""
        self._answer = None
        self._channel.close()

    def _received(self, message: Message, descriptors: list[int]) -> None:
        answer, self._answer = self._answer, None
        assert answer is not None
        answer.callback((message, descriptors))

    def _lost(self) -> None:
        answer, self._answer = self._answer, None
        if answer is not None:
            answer.errback(InternalError("the process that reads what the task left died"))


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
