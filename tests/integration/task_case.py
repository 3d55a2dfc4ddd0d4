"""Tasks through a whole worker: the queue's answer, the log that people read, and what the task has published."""

from __future__ import annotations

import gzip
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from glob import glob
from typing import Any, ClassVar
from urllib.parse import quote, unquote

import slugid
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase
from twisted.web.server import NOT_DONE_YET, Request

from tcworker.assemble import new_worker
from tcworker.client.http import HTTP, Answer
from tcworker.client.services import Queue
from tcworker.config import Source
from tcworker.deployment import Deployment
from tcworker.embedded.root import RootResource
from tcworker.embedded.settings import TaskclusterSettings
from tcworker.embedded.taskcluster import Taskcluster
from tcworker.embedded.times import Times
from tcworker.interfaces import JSON, IFeature
from tcworker.task.claim import write_date
from tcworker.waiting import pause
from tcworker.worker import Worker

POOL = "proj-tests/native"

FILE = {"type": "file", "path": "out.txt", "name": "public/out.txt"}
"""An artifact of a payload."""

CLOSE_SECONDS = 5.0

RESOLVED = ("completed", "failed", "exception")


Render = Callable[[Request], bytes | int]
"""How the Taskcluster answers a request."""


@dataclass(frozen=True)
class Outcome:
    """What the world sees of a run that is over.

    @ivar resolution: C{completed}, C{failed}, or C{exception/} and the reason.
    @ivar log: as published, empty if it was not.
    @ivar artifacts: all that are listed, by their names.
    @ivar runs: those of the task, as the queue has them.
    """

    task_id: str
    resolution: str
    log: str
    artifacts: Mapping[str, JSON]
    runs: Sequence[JSON]

    @property
    def lines(self) -> Sequence[str]:
        """The log without the times that lines of the worker begin with."""
        return [_untimed(line) for line in self.log.splitlines()]

    @property
    def errors(self) -> Sequence[str]:
        """What the log says is wrong, in the form that Treeherder looks for."""
        mark = "[taskcluster:error] "
        return [line.removeprefix(mark) for line in self.log.splitlines() if line.startswith(mark)]


def shell(*scripts: str, **payload: Any) -> dict[str, Any]:
    """A payload of one command for each script."""
    return {"command": [["sh", "-c", script] for script in scripts], "maxRunTime": 60, **payload}


def date(**later: float) -> str:
    """A date so much later than now."""
    return write_date(datetime.now(UTC) + timedelta(**later))


@dataclass
class Site(Deployment):
    """A Taskcluster and a worker of it in one process."""

    folder: str
    settings: Mapping[str, Any]
    times: Times
    features: Sequence[IFeature] = ()
    root_url: str = field(init=False)
    http: HTTP = field(init=False)
    queue: Queue = field(init=False)
    worker: Worker = field(init=False)

    def __post_init__(self) -> None:
        settings = TaskclusterSettings(times=self.times, in_memory=True)
        self.taskcluster = Taskcluster(reactor, os.path.join(self.folder, "taskcluster"), settings)
        super().__init__(self.taskcluster, CLOSE_SECONDS, "the test is over")

    @property
    def tasks_dir(self) -> str:
        """The worker's setting."""
        return str(self.settings.get("tasksDir", os.path.join(self.folder, "tasks")))

    @property
    def state_dir(self) -> str:
        """The worker's setting."""
        return str(self.settings.get("stateDir", os.path.join(self.folder, "state")))

    async def start(self) -> None:
        """Start both, and wait until the worker claims."""
        self.root_url = await self.start_taskcluster()
        root = self.taskcluster.root_credentials
        self.http = HTTP(reactor)
        self.at_end(self.http.close)
        self.queue = Queue(self.http, self.root_url, lambda: root, reactor)
        self.worker = new_worker(reactor, [Source("test", self._settings())], self.features)
        self.run_worker(self.worker)
        await self.worker.when_booted()

    def _settings(self) -> Mapping[str, Any]:
        root = self.taskcluster.root_credentials
        provisioner, _, worker_type = POOL.partition("/")
        return {
            "rootURL": self.root_url,
            "clientId": root.client_id,
            "accessToken": root.access_token,
            "provisionerId": provisioner,
            "workerType": worker_type,
            "workerGroup": "tests",
            "workerId": "w1",
            "tasksDir": self.tasks_dir,
            "stateDir": self.state_dir,
            "requiredDiskSpaceMegabytes": 0,
            **self.settings,
        }

    async def create(self, payload: JSON, **definition: Any) -> str:
        """Create a task, and give its id."""
        task_id = str(slugid.nice())
        metadata = {"name": "t", "description": "", "owner": "a@b.c", "source": "https://example.com/"}
        dates = {"created": date(), "deadline": date(hours=1), "expires": date(hours=2)}
        own = {"taskQueueId": POOL, "metadata": metadata, "payload": payload, "retries": 0, **dates}
        await self.queue.create_task(task_id, {**own, **definition})
        return task_id

    async def until(self, task_id: str, *states: str) -> Sequence[JSON]:
        """Wait until the last run of a task is in one of these states; give all of them."""
        while True:
            runs: Sequence[JSON] = (await self.queue.status(task_id))["status"]["runs"]
            if runs and runs[-1]["state"] in states:
                return runs
            await pause(reactor, 0.02)

    async def outcome(self, task_id: str) -> Outcome:
        """Wait until a task is over, and give what is to be seen of its last run."""
        return await self.seen(task_id, await self.until(task_id, *RESOLVED))

    async def seen(self, task_id: str, runs: Sequence[JSON], run_id: int = -1) -> Outcome:
        """Give what is to be seen of one run of a task that has these."""
        run = runs[run_id]
        state, reason = run["state"], run["reasonResolved"]
        listed = (await self.queue.list_artifacts(task_id, run["runId"]))["artifacts"]
        artifacts = {artifact["name"]: artifact for artifact in listed}
        backing = [name for name in artifacts if "backing" in name]
        log = await self.content(task_id, run["runId"], backing[0]) if backing else b""
        resolution = f"{state}/{reason}" if state == "exception" else state
        return Outcome(task_id, resolution, log.decode(errors="surrogateescape"), artifacts, runs)

    async def content(self, task_id: str, run_id: int, name: str) -> bytes:
        """The content of a public artifact, unpacked, as a browser gets it; raises C{AssertionError} if it does not."""
        pieces: list[bytes] = []
        answer = await self.download(task_id, run_id, name, pieces.append)
        assert answer.status == 200, answer
        content = b"".join(pieces)
        return gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content

    async def download(self, task_id: str, run_id: int, name: str, write: Callable[[bytes], None]) -> Answer:
        """Get a public artifact as it is stored."""
        url = f"{self.root_url}/api/queue/v1/task/{task_id}/runs/{run_id}/artifacts/{quote(name)}"
        while (answer := await self.http.request("GET", url)).status == 303:
            url = answer.headers["location"]
            if "/storage/" in url:
                return await self.http.download(url, write)
        return answer


class TaskCase(TestCase):
    """Tests that give a worker tasks, each with a worker of its own.

    @cvar settings: of the worker.
    @cvar times: of the queue.
    @cvar features: of the worker, beside its own.
    """

    timeout = 60
    settings: ClassVar[Mapping[str, Any]] = {}
    times: ClassVar[Times] = Times(dependencies=0.02, deadline_delay=0.1)
    features: ClassVar[Sequence[IFeature]] = ()
    site: Site

    def setUp(self) -> Deferred[None]:  # type: ignore[override]  # trial waits for it
        return Deferred.fromCoroutine(self.prepare())

    async def prepare(self) -> None:
        """Start what a test needs."""
        self.site = await self.new_site(**self.own_settings())

    def own_settings(self) -> Mapping[str, Any]:
        """Further settings of the worker, made for this test."""
        return {}

    async def new_site(self, **settings: Any) -> Site:
        """A Taskcluster with a worker that are gone after the test."""
        site = Site(self.new_folder(), {**self.settings, **settings}, self.times, self.features)
        self.addCleanup(site.stop)
        await site.start()
        return site

    def refuse(self, method: str, path: str, status: int, times: int = 1000) -> None:
        """Let the Taskcluster answer calls with a status, so many times, in place of doing them.

        @param path: a pattern of what their paths contain, decoded.
        """

        def answer(request: Request, render: Render) -> bytes | int:
            request.setResponseCode(status)
            return b"{}"

        self._meddle(method, path, times, answer)

    def hold_up(self, method: str, path: str, seconds: float) -> None:
        """Let the Taskcluster take its time for a call."""

        def answer(request: Request, render: Render) -> bytes | int:
            reactor.callLater(seconds, _answer, request, render)
            return NOT_DONE_YET

        self._meddle(method, path, 1, answer)

    def _meddle(self, method: str, path: str, times: int, answer: Callable[[Request, Render], bytes | int]) -> None:
        plain, left = RootResource.render, [times]

        def render(resource: RootResource, request: Request) -> bytes | int:
            called = request.method.decode(), unquote(request.path.decode())
            if called[0] != method or not re.search(path, called[1]) or not left[0]:
                return plain(resource, request)
            left[0] -= 1
            return answer(request, partial(plain, resource))

        self.patch(RootResource, "render", render)

    def new_folder(self) -> str:
        """A folder that every user may pass through, gone after the test."""
        folder = tempfile.mkdtemp(prefix="tcworker-site-")
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        os.chmod(folder, 0o755)
        return folder

    async def run_task(self, payload: JSON, **definition: Any) -> Outcome:
        """Give the worker a task, and wait for its end."""
        return await self.site.outcome(await self.site.create(payload, **definition))

    async def until_begun(self) -> None:
        """Wait until a task has made a file with the name C{begun} in its folder."""
        while not list(glob(f"{self.site.tasks_dir}/*/begun")):
            await pause(reactor, 0.02)

    def assertResolved(self, outcome: Outcome, resolution: str, *lines: str) -> None:
        """Fail unless a run ended so, and its log has these lines, in this order.

        @param lines: what lines contain.
        """
        self.assertEqual(outcome.resolution, resolution, outcome.log)
        rest = iter(outcome.log.splitlines())
        for line in lines:
            self.assertTrue(any(line in each for each in rest), f"no line with {line!r}:\n{outcome.log}")

    def assertMalformed(self, outcome: Outcome, *lines: str) -> None:
        """Fail unless a payload was refused before anything ran, with these lines that begin as errors do.

        @param lines: what lines contain.
        """
        self.assertResolved(outcome, "exception/malformed-payload")
        for line in lines:
            self.assertTrue(any(line in error for error in outcome.errors), f"no error {line!r}:\n{outcome.log}")
        self.assertNotIn("Executing command", outcome.log)

    async def assertWorks(self) -> None:
        """Fail unless the worker does the next task as if nothing had happened."""
        outcome = await self.run_task(shell("echo still at work"))
        self.assertEqual((outcome.resolution, "still at work" in outcome.lines), ("completed", True), outcome.log)


def _answer(request: Request, render: Render) -> None:
    body = render(request)
    if body != NOT_DONE_YET:
        request.write(body)
        request.finish()


def _untimed(line: str) -> str:
    start, end, text = line.partition("] ")
    return f"{start.rsplit(' ', 1)[0]}{end}{text}" if start.startswith("[taskcluster") else line
