"""What the suite's tests share: callers, random names, tasks, workers, and how to say what is refused."""

from __future__ import annotations

import random
import string
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest import TestCase

import slugid
from taskcluster.exceptions import TaskclusterAuthFailure, TaskclusterRestFailure

from tests.conformance.callers import Answer, Credentials, Services
from tests.conformance.deployment import Deployment, subject

CODES = {
    "MalformedPayload": 400,
    "InvalidRequestArguments": 400,
    "InputValidationError": 400,
    "InputError": 400,
    "AuthenticationFailed": 401,
    "InsufficientScopes": 403,
    "ResourceNotFound": 404,
    "NoMatchingMethod": 406,
    "RequestConflict": 409,
    "ResourceExpired": 410,
    "InternalServerError": 500,
}
"""Every error of the API that can be brought about from outside, with its HTTP status.

Two are not here: C{NoMatchingBackend} and C{ProviderSetupFailed} tell of a deployment that is not set up right.
"""

QUEUE = "/api/queue/v1"

METADATA = {
    "name": "conformance",
    "description": "A task of the conformance suite. Nobody needs it.",
    "owner": "nobody@example.com",
    "source": "https://example.com/",
}


def random_name(prefix: str = "c") -> str:
    """Give a name that nobody else uses: lower case, fit for workers, pools, clients and roles."""
    letters = random.SystemRandom().choices(string.ascii_lowercase + string.digits, k=14)
    return f"{prefix}-{''.join(letters)}"


def new_id() -> str:
    """Give a new taskId."""
    return str(slugid.nice())


def date(**later: float) -> str:
    """Give a date so much later than now."""
    return (datetime.now(UTC) + timedelta(**later)).isoformat()


def when(text: str) -> float:
    """Read a date of an answer, in seconds since the epoch."""
    return datetime.fromisoformat(text).timestamp()


@dataclass(frozen=True)
class Held:
    """A run that is claimed.

    @ivar claim: what claimWork said.
    @ivar services: for whoever has the run's own credentials.
    """

    task_id: str
    run_id: int
    claim: Any
    services: Services

    @property
    def credentials(self) -> Credentials:
        return Credentials.from_json(self.claim["credentials"])

    @property
    def path(self) -> str:
        return f"{QUEUE}/task/{self.task_id}/runs/{self.run_id}"

    @property
    def run(self) -> tuple[str, int]:
        return self.task_id, self.run_id

    def complete(self) -> Any:
        return self.services.queue.reportCompleted(*self.run)["status"]

    def fail(self) -> Any:
        return self.services.queue.reportFailed(*self.run)["status"]

    def end_with(self, reason: str) -> Any:
        return self.services.queue.reportException(*self.run, {"reason": reason})["status"]

    def reclaim(self) -> Any:
        return self.services.queue.reclaimTask(*self.run)


class ConformanceTestCase(TestCase):
    """Has a task queue and a worker of its own, on the deployment that is tested."""

    choose: Callable[[], Deployment] = staticmethod(subject)

    def setUp(self) -> None:
        # Not once a class: trial runs each test for itself.
        self.deployment = self.choose()
        self.root = self.deployment.services(self.deployment.root)
        self.task_queue = f"{random_name('conformance')}/{random_name('w')}"
        self.worker_group, self.worker_id = "conformance", random_name("worker")
        self.queue = self.root.queue

    def limited(self, *scopes: str, **how: Any) -> Services:
        """Give the services for somebody who has these scopes, and those of everybody."""
        return self.deployment.services(self.deployment.issue(*scopes, **how))

    def call(self, method: str, target: str, body: Any = None, **how: Any) -> Answer:
        return self.deployment.call(method, target, body, **how)

    @contextmanager
    def refused(self, code: str) -> Iterator[list[str]]:
        """Expect a refusal; what is given has its message afterwards."""
        said: list[str] = []
        with self.assertRaises((TaskclusterRestFailure, TaskclusterAuthFailure)) as caught:
            yield said
        error = caught.exception
        self.assertEqual((error.status_code, error.body.get("code")), (CODES[code], code), error)
        said.append(error.body["message"])

    def assertRefused(self, answer: Answer, code: str) -> None:
        self.assertEqual((answer.status, answer.json.get("code")), (CODES[code], code), answer.content)

    def definition(self, **more: Any) -> dict[str, Any]:
        """Give a task's definition, soon forgotten."""
        own = {
            "taskQueueId": self.task_queue,
            "created": date(),
            "deadline": date(hours=1),
            "expires": date(hours=2),
            "payload": {},
            "metadata": METADATA,
        }
        return {**own, **more}

    def create(self, **more: Any) -> str:
        """Create a task and give its taskId."""
        task_id = new_id()
        self.queue.createTask(task_id, self.definition(**more))
        return task_id

    def claim_work(self, tasks: int = 1, worker_id: str | None = None, services: Services | None = None) -> list[Held]:
        """Claim what is pending, or what will be; gives nothing if nothing comes."""
        asked = {"workerGroup": self.worker_group, "workerId": worker_id or self.worker_id, "tasks": tasks}
        claims = (services or self.root).queue.claimWork(self.task_queue, asked)["tasks"]
        return [self._held(claim) for claim in claims]

    def _held(self, claim: Any) -> Held:
        own = self.deployment.services(Credentials.from_json(claim["credentials"]))
        return Held(claim["status"]["taskId"], claim["runId"], claim, own)

    def claim(self) -> Held:
        """Claim the one task that is pending."""
        [held] = self.claim_work()
        return held

    def running(self, **more: Any) -> Held:
        """Create a task and claim it."""
        task_id = self.create(**more)
        held = self.claim()
        self.assertEqual(held.task_id, task_id)
        return held

    def status(self, task_id: str) -> Any:
        return self.queue.status(task_id)["status"]

    def ends(self, task_id: str) -> list[tuple[str, str, str | None]]:
        """Say of each run why it was made, how it stands and why."""
        return ends(self.status(task_id))

    def eventually(self, look: Callable[[], Any], wanted: Any = True, seconds: float = 30) -> None:
        """Wait until looking gives what is wanted; look the less often the longer it takes."""
        begun = time.monotonic()
        while (seen := look()) != wanted:
            waited = time.monotonic() - begun
            if waited > seconds:
                self.assertEqual(seen, wanted, f"still after {seconds} s")
            time.sleep(max(0.05, waited / 20))

    def meanwhile(self, call: Callable[..., Any], *args: Any) -> Future[Any]:
        """Begin a call that takes its time."""
        pool = ThreadPoolExecutor(1)
        self.addCleanup(pool.shutdown)
        return pool.submit(call, *args)


def ends(status: Any) -> list[tuple[str, str, str | None]]:
    """Say of each run why it was made, how it stands and why."""
    return [(run["reasonCreated"], run["state"], run.get("reasonResolved")) for run in status["runs"]]


def names(items: Sequence[Any], key: str = "taskId") -> list[str]:
    """Give one key of each."""
    return [item[key] for item in items]
