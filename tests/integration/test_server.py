"""C{tcworker server} as a process of its own, used by the C{taskcluster} package as anybody would."""

from __future__ import annotations

import os
import re
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import mohawk
import requests
import taskcluster
from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.protocols.portforward import ProxyFactory
from twisted.trial.unittest import TestCase

from tests.definitions import definition, shell
from tests.integration.processes import Command
from tests.surroundings import only_root, until

WAITS = "echo begun; until [ -e {go} ]; do sleep 0.05; done; echo ended; echo content > file.txt"
TOKEN = "a-token-of-22-letters-x"
ARTIFACT = {"type": "file", "path": "file.txt", "name": "public/file.txt"}
LAST_LINE = "unset TASKCLUSTER_CERTIFICATE\n"


class Server:
    """A server that runs.

    @ivar variables: those that it printed for other clients.
    """

    def __init__(self, command: Command) -> None:
        self.command = command

    async def until_there(self) -> None:
        await self.command.until_printed(LAST_LINE)
        self.variables = dict(re.findall("^export (.*?)=(.*)$", self.command.output, re.MULTILINE))
        self.root_url = self.variables["TASKCLUSTER_ROOT_URL"]
        with patch.dict(os.environ, self.variables):
            self._options = {**taskcluster.optionsFromEnvironment(), "maxRetries": 0}

    def queue(self) -> Any:
        """Make a blocking client, for one thread."""
        return taskcluster.Queue(self._options)

    @property
    def pid(self) -> int:
        pid: int = self.command._process.pid  # type: ignore[attr-defined]  # of Twisted's process
        return pid


class ServerCase(TestCase):
    timeout = 120

    def setUp(self) -> None:
        self.folder = os.path.abspath(self.mktemp())
        os.mkdir(self.folder)
        self.data = os.path.join(self.folder, "data")
        self.go = os.path.join(self.folder, "go")
        self.tasks = os.path.abspath(self.mktemp())
        # Users of their own could not reach the files by which tests and tasks meet.
        self.write_worker_config(f"{{tasksDir: {self.tasks}, taskUsers: false}}")

    def write_worker_config(self, text: str) -> None:
        self.worker_config = os.path.abspath(self.mktemp())
        Path(self.worker_config).write_text(text)

    def command(self, *options: str, **environment: str) -> Command:
        # No credentials of whoever runs the tests.
        ours = {"TMPDIR": self.folder, "TASKCLUSTER_ACCESS_TOKEN": "", **environment}
        worker = () if "--no-worker" in options else ("--worker-config", self.worker_config)
        command = Command(["tcworker", "server", "--port", "0", *worker, *options], environment=ours)
        self.addCleanup(command.kill)
        return command

    async def start(self, *options: str, **environment: str) -> Server:
        server = Server(self.command(*options, **environment))
        await server.until_there()
        return server

    def create(self, server: Server, script: str, **more: Any) -> Deferred[str]:
        """Create a task and give its taskId."""

        def create() -> str:
            task_id = str(taskcluster.slugId())
            payload = shell(script, maxRunTime=600, artifacts=[{**ARTIFACT, "optional": True}])
            server.queue().createTask(task_id, definition("local/tasks", payload, **more))
            return task_id

        return deferToThread(create)

    async def until(self, server: Server, task_id: str, state: str) -> Any:
        """Wait for a state of a task; gives its status."""
        queue = server.queue()
        while True:
            status = (await deferToThread(queue.status, task_id))["status"]
            if status["state"] == state:
                return status
            await deferLater(reactor, 0.02)

    def let_go(self) -> None:
        Path(self.go).touch()


HANGS = """
import threading, time
from tcworker.embedded.page import service
from tcworker.server.main import main
from tcworker.server.options import ServerOptions

def hang(text):
    print("hangs", flush=True)
    time.sleep(600)

service.read_yaml = hang
raise SystemExit(main(ServerOptions(port=0, worker=False)))
"""


class WhatHangs(ServerCase):
    """In a thread, which nobody can end."""

    async def test_does_not_keep_it_and_two_signals_even_less(self) -> None:
        for signals, longest in ((1, 9), (2, 4)):
            command = Command(["python", "-c", HANGS], environment={"TMPDIR": self.folder})
            self.addCleanup(command.kill)
            server = Server(command)
            await server.until_there()
            reading = deferToThread(self.read_yaml, server)
            await command.until_printed("hangs")
            begun = time.monotonic()
            for _ in range(signals):
                command.signal(signal.SIGTERM)
                # One that comes right after the other is the same one.
                await deferLater(reactor, 0.2)
            self.assertEqual(await command.until_ended(), 0)
            self.assertLess(time.monotonic() - begun, longest)
            await self.assertFailure(reading, requests.ConnectionError)

    def read_yaml(self, server: Server) -> None:
        url, key = f"{server.root_url}/api/page/v1/read-yaml", server.variables["TASKCLUSTER_ACCESS_TOKEN"]
        me = {"id": server.variables["TASKCLUSTER_CLIENT_ID"], "key": key, "algorithm": "sha256"}
        signed = mohawk.Sender(me, url, "POST", content='{"text": "a"}', content_type="application/json")
        headers = {"Authorization": signed.request_header, "Content-Type": "application/json"}
        requests.post(url, data='{"text": "a"}', headers=headers, timeout=60)


class AWholeTask(ServerCase):
    async def test_runs_by_what_was_printed_and_its_log_is_read_meanwhile(self) -> None:
        server = await self.start()
        task_id = await self.create(server, WAITS.format(go=self.go))
        await self.until(server, task_id, "running")
        log = await deferToThread(self.read_live, server, task_id)
        self.assertIn("begun\n", log)
        self.assertIn("ended\n", log)
        status = await self.until(server, task_id, "completed")
        self.assertEqual(len(status["runs"]), 1)
        await deferToThread(self.check_artifacts, server, task_id, log)

    async def test_without_live_logs_there_is_none_while_it_runs(self) -> None:
        self.write_worker_config(f"{{tasksDir: {self.tasks}, taskUsers: false, enableLiveLog: false}}")
        server = await self.start()
        begun = os.path.join(self.folder, "begun")
        task_id = await self.create(server, f"touch {begun}; {WAITS.format(go=self.go)}")
        await deferToThread(wait_for, begun)
        listed = await deferToThread(server.queue().listLatestArtifacts, task_id)
        self.assertEqual(listed["artifacts"], [])
        self.let_go()
        await self.until(server, task_id, "completed")

    async def test_one_that_is_cancelled_ends_at_once(self) -> None:
        # Nor does its worker ask.
        self.write_worker_config(f"{{tasksDir: {self.tasks}, taskUsers: false, statusPollSecs: 3600}}")
        server = await self.start()
        begun, told = os.path.join(self.folder, "begun"), os.path.join(self.folder, "told")
        script = f"trap 'touch {told}; exit' TERM; touch {begun}; while true; do sleep 600 & wait; done"
        task_id = await self.create(server, script)
        await deferToThread(wait_for, begun)
        await deferToThread(server.queue().cancelTask, task_id)
        await deferToThread(wait_for, told)
        await self.until(server, task_id, "exception")

    def read_live(self, server: Server, task_id: str) -> str:
        """Read the log to its end; the task ends only when its first line was seen here."""
        queue, log = server.queue(), ""
        self.live = live_address(queue, task_id)
        self.assertTrue(self.live.startswith(f"{server.root_url}/live/"))
        with requests.get(self.live, stream=True, timeout=60) as answer:
            self.assertEqual(answer.headers["Content-Security-Policy"], "sandbox")
            for piece in answer.iter_content(None, decode_unicode=True):
                log += piece
                if "begun\n" in log and "ended\n" not in log:
                    self.assertEqual(queue.status(task_id)["status"]["state"], "running")
                    self.let_go()
        return log

    def check_artifacts(self, server: Server, task_id: str, log: str) -> None:
        queue = server.queue()
        stored = queue.latestArtifact(task_id, "public/logs/live.log")
        self.assertEqual(stored["storageType"], "s3")
        self.assertEqual(requests.get(stored["url"], timeout=10).text, log)
        file = queue.latestArtifact(task_id, "public/file.txt")
        self.assertEqual(requests.get(file["url"], timeout=10).text, "content\n")
        self.assertEqual(requests.get(self.live, timeout=10).status_code, 404)


def wait_for(path: str) -> None:
    """Wait until something is there."""
    while not os.path.exists(path):
        time.sleep(0.02)


def live_address(queue: Any, task_id: str) -> str:
    """Wait for where the log of a task can be read while it grows."""
    while True:
        try:
            return str(queue.latestArtifact(task_id, "public/logs/live.log")["url"])
        except taskcluster.exceptions.TaskclusterRestFailure as error:
            if error.status_code != 404:
                raise
            time.sleep(0.02)


class UsersOfTasks(ServerCase):
    async def test_each_of_root_s_has_its_own(self) -> None:
        only_root()
        self.write_worker_config("")
        server = await self.start("--data", self.data)
        task_id = await self.create(server, f"id -un > file.txt; ! ls {self.data}")
        await self.until(server, task_id, "completed")
        artifact = await deferToThread(server.queue().latestArtifact, task_id, "public/file.txt")
        self.assertRegex((await deferToThread(requests.get, artifact["url"], timeout=10)).text, "^task_")


class ItsEnd(ServerCase):
    async def test_takes_no_task_with_it(self) -> None:
        server = await self.start("--data", self.data)
        task_id = await self.create(server, "trap '' TERM; " + WAITS.format(go=self.go))
        await self.until(server, task_id, "running")
        server.command.signal(signal.SIGINT)
        self.assertEqual(await server.command.until_ended(), 0, server.command.output)
        self.let_go()
        again = await self.start("--data", self.data)
        self.assertEqual(again.variables["TASKCLUSTER_ACCESS_TOKEN"], server.variables["TASKCLUSTER_ACCESS_TOKEN"])
        runs = (await self.until(again, task_id, "completed"))["runs"]
        self.assertEqual([run["reasonResolved"] for run in runs], ["worker-shutdown", "completed"])

    async def test_comes_with_any_signal_that_asks_for_it(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            server = await self.start()
            server.command.signal(number)
            self.assertEqual(await server.command.until_ended(), 0, server.command.output)
        self.assertEqual(os.listdir(self.folder), [])

    async def test_does_not_wait_for_who_reads_a_log_or_waits_for_tasks(self) -> None:
        server = await self.start("--capacity", "2")
        task_id = await self.create(server, WAITS.format(go=self.go))
        await self.until(server, task_id, "running")
        address = await deferToThread(live_address, server.queue(), task_id)
        answer = await deferToThread(requests.get, address, stream=True, timeout=60)
        polling = deferToThread(server.queue().claimWork, "other/pool", {"workerGroup": "g", "workerId": "w"})
        server.command.signal(signal.SIGTERM)
        server.command.signal(signal.SIGTERM)
        self.assertEqual(await server.command.until_ended(), 0, server.command.output)
        self.assertEqual(await polling, {"tasks": []})
        answer.close()


class Killed(ServerCase):
    async def test_it_has_kept_every_claim_that_it_answered(self) -> None:
        server = await self.start("--data", self.data, "--no-worker")
        await deferToThread(self.create_many, server, 60)
        content = await deferToThread(self.publish, server)
        claimed: list[tuple[str, int, str]] = []
        workers = gatherResults([deferToThread(self.claim_until_dead, server, f"w{n}", claimed) for n in range(4)])
        while len(claimed) < 20:
            await deferLater(reactor, 0.001)
        server.command.signal(signal.SIGKILL)
        await workers
        again = await self.start("--data", self.data, "--no-worker")
        await deferToThread(self.check_claims, again, claimed)
        self.assertEqual(await deferToThread(content, again), b"kept")

    async def test_what_its_worker_ran_runs_again(self) -> None:
        server = await self.start("--data", self.data)
        task_id = await self.create(server, WAITS.format(go=self.go))
        await self.until(server, task_id, "running")
        # The queue says so as soon as it answers; who dies before it has the answer knows nothing of the run.
        await until(lambda: os.listdir(self.tasks))
        server.command.signal(signal.SIGKILL)
        await server.command.until_ended()
        self.let_go()
        again = await self.start("--data", self.data)
        runs = (await self.until(again, task_id, "completed"))["runs"]
        self.assertEqual([run["reasonResolved"] for run in runs], ["worker-shutdown", "completed"])
        again.command.signal(signal.SIGTERM)
        await again.command.until_ended()
        self.assertEqual(os.listdir(self.tasks), [])

    def create_many(self, server: Server, count: int) -> None:
        queue = server.queue()
        for _ in range(count):
            queue.createTask(taskcluster.slugId(), definition("local/tasks", shell("true")))

    def publish(self, server: Server) -> Callable[[Server], bytes]:
        """Publish an artifact; gives what reads it."""
        queue = server.queue()
        [claim] = queue.claimWork("local/tasks", {"workerGroup": "g", "workerId": "first", "tasks": 1})["tasks"]
        task_id = claim["status"]["taskId"]
        body = {"storageType": "s3", "contentType": "text/plain", "expires": claim["task"]["expires"]}
        url = queue.createArtifact(task_id, 0, "public/kept", body)["putUrl"]
        requests.put(url, data=b"kept", headers={"Content-Type": "text/plain"}, timeout=10).raise_for_status()
        return lambda server: (
            requests.get(server.queue().latestArtifact(task_id, "public/kept")["url"], timeout=10).content
        )

    def claim_until_dead(self, server: Server, worker: str, claimed: list[tuple[str, int, str]]) -> None:
        queue = server.queue()
        while True:
            try:
                answer = queue.claimWork("local/tasks", {"workerGroup": "g", "workerId": worker, "tasks": 1})
            except (taskcluster.exceptions.TaskclusterConnectionError, requests.ConnectionError):
                return
            claimed.extend((claim["status"]["taskId"], claim["runId"], worker) for claim in answer["tasks"])

    def check_claims(self, server: Server, claimed: list[tuple[str, int, str]]) -> None:
        queue = server.queue()
        self.assertGreater(len(claimed), 19)
        for task_id, run_id, worker in claimed:
            run = queue.status(task_id)["status"]["runs"][run_id]
            self.assertEqual((run["state"], run["workerId"]), ("running", worker))


class TheToken(ServerCase):
    async def test_is_seen_by_nobody_but_the_one_who_started_it(self) -> None:
        server = await self.start("--data", self.data, TASKCLUSTER_ACCESS_TOKEN=TOKEN)
        self.assertEqual(server.variables["TASKCLUSTER_ACCESS_TOKEN"], TOKEN)
        task_id = await self.create(server, f"env; {WAITS.format(go=self.go)}")
        await self.until(server, task_id, "running")
        self.assertGreater(len(list(children(server.pid))), 1)
        for pid in children(server.pid):
            self.assertNotIn(TOKEN.encode(), of_process(pid, "environ") + of_process(pid, "cmdline"))
        self.assertNotIn(TOKEN.encode(), of_process(server.pid, "cmdline"))
        self.let_go()
        await self.until(server, task_id, "completed")
        url = (await deferToThread(server.queue().latestArtifact, task_id, "public/logs/live.log"))["url"]
        self.assertNotIn(TOKEN, (await deferToThread(requests.get, url, timeout=10)).text)
        server.command.signal(signal.SIGTERM)
        await server.command.until_ended()
        # In the address of the page and in the variable.
        self.assertEqual(server.command.output.count(TOKEN), 2)

    async def test_of_its_own_is_refused_where_others_come(self) -> None:
        command = self.command("--host", "0.0.0.0")
        self.assertEqual(await command.until_ended(), 64)
        self.assertIn("--access-token-file", command.output)


def of_process(pid: int, what: str) -> bytes:
    return Path(f"/proc/{pid}/{what}").read_bytes()


def children(pid: int) -> Iterator[int]:
    """All processes below a process."""
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in map(int, (task / "children").read_text().split()):
            yield child
            yield from children(child)


class BehindAMappedPort(ServerCase):
    async def test_its_worker_and_all_others_use_that_one(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            number = free.getsockname()[1]
        mapped = reactor.listenTCP(0, ProxyFactory("127.0.0.1", number), interface="127.0.0.1")
        self.addCleanup(mapped.stopListening)
        root_url = f"http://localhost:{mapped.getHost().port}"
        server = await self.start("--port", str(number), "--root-url", root_url)
        self.assertEqual(server.root_url, root_url)
        self.assertIn(f"# A proxy finds it at port {number}.", server.command.output)
        task_id = await self.create(server, "echo $TASKCLUSTER_ROOT_URL > file.txt")
        await self.until(server, task_id, "completed")
        artifact = await deferToThread(server.queue().latestArtifact, task_id, "public/file.txt")
        self.assertTrue(artifact["url"].startswith(f"{root_url}/storage/"))
        self.assertEqual((await deferToThread(requests.get, artifact["url"], timeout=10)).text, f"{root_url}\n")
        server.command.signal(signal.SIGTERM)
        self.assertEqual(await server.command.until_ended(), 0, server.command.output)


class WithoutAWorker(ServerCase):
    async def test_tasks_wait_for_others(self) -> None:
        server = await self.start("--no-worker")
        task_id = await self.create(server, "true")
        body = {"workerGroup": "g", "workerId": "w", "tasks": 1}
        [claim] = (await deferToThread(server.queue().claimWork, "local/tasks", body))["tasks"]
        self.assertEqual((claim["status"]["taskId"], claim["workerId"]), (task_id, "w"))
