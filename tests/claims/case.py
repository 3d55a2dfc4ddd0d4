"""A worker that claims, on a clock of the test's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase

from tcworker.claims.service import ClaimService
from tcworker.interfaces import Credentials, Exit
from tcworker.task.facilities import Facilities
from tcworker.testing.facilities import FakeFacilities

SLEEP = {"script": [{"sleep": 100}]}
QUICK: dict[str, Any] = {"script": []}
EXIT = Exit(72, "asked to")


class FakeHost:
    """A host that says when to go."""

    def __init__(self) -> None:
        self.go = False
        self.asked: list[float] = []

    def credentials(self) -> Credentials:
        return Credentials("worker", "secret")

    def on_credentials(self, call: Callable[[Credentials], None]) -> None:
        self.renew = call

    def should_shut_down_now(self, idle_seconds: float) -> Deferred[bool]:
        self.asked.append(idle_seconds)
        return succeed(self.go)


class Working(TestCase):
    """A worker that has booted.

    @ivar closing: how it ends that what the worker used is closed.
    """

    capacity = 1
    settings: dict[str, Any] = {}  # noqa: RUF012  # replaced by subclasses, never changed

    def setUp(self) -> None:
        self.clock = Clock()
        self.host = FakeHost()
        self.facilities = FakeFacilities(self.clock, self.mktemp(), capacity=self.capacity, **self.settings)
        self.queue = self.facilities.queue
        self.booting: Deferred[Facilities] = Deferred()
        self.closed: list[Exit] = []
        self.closing: Deferred[None] = succeed(None)
        self.claims = ClaimService(self.clock, self.host, lambda: self.booting, self.close)  # type: ignore[arg-type]
        self.claims.startService()
        self.addCleanup(self.claims.stopService)
        self.stopped = self.claims.when_stopped()
        self.boot()

    def boot(self) -> None:
        self.booting.callback(self.facilities)

    def close(self, exit: Exit) -> Deferred[None]:
        self.closed.append(exit)
        return self.closing

    def give(self, *payloads: dict[str, Any]) -> None:
        """Answer the claimWork in flight with tasks of these payloads."""
        first = len(self.facilities.contexts)
        tasks = [
            self.facilities.claim_answer(payload, task_id=f"task-{first + number}")
            for number, payload in enumerate(payloads)
        ]
        self.queue.answer("claim_work", {"tasks": tasks})
        self.clock.advance(0)

    @property
    def asking(self) -> list[int]:
        """For how many tasks each claimWork in flight asks."""
        return [call.body["tasks"] for call in self.queue.waiting("claim_work")]

    def reasons(self) -> list[str]:
        return [call.body["reason"] for call in self.queue.made("report_exception")]
