"""The log's contract, of the worker's log and of the one in memory."""

from __future__ import annotations

import os

from twisted.internet import reactor
from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import TestCase

from tcworker.interfaces import ITaskLog
from tcworker.task.log import TaskLog
from tcworker.testing.logs import LogSuite
from tcworker.testing.memory import MemoryLog
from tcworker.waiting import Threads


class MemoryLogContract(LogSuite, TestCase):
    reactor = reactor  # type: ignore[assignment]  # the module of that name is one

    def new_log(self) -> ITaskLog:
        return MemoryLog(self.reactor)

    def mask(self, log: MemoryLog, secret: str) -> None:
        log.mask(secret)

    def seal(self, log: MemoryLog) -> Deferred[object]:
        return succeed(log.seal())


class TaskLogContract(LogSuite, TestCase):
    reactor = reactor  # type: ignore[assignment]  # the module of that name is one

    def setUp(self) -> None:
        self.threads = Threads(reactor, 2, "log")
        self.addCleanup(self.threads.stop)

    def new_log(self) -> ITaskLog:
        folder = self.mktemp()
        os.makedirs(folder)
        log = TaskLog(folder, self.reactor, self.threads, limit=0, broken=lambda error: self.fail(str(error)))
        self.addCleanup(log.dispose)
        return log

    def mask(self, log: TaskLog, secret: str) -> None:
        log.mask(secret)

    def seal(self, log: TaskLog) -> Deferred[object]:
        return log.seal()
