"""The whole server on a real port, used by the C{taskcluster} package's own client in a thread."""

from __future__ import annotations

import os
import socket
import stat
import threading
from collections.abc import Mapping
from typing import Any

import mohawk
import requests
import taskcluster
from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.error import CannotListenError
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase
from twisted.web.resource import IResource
from twisted.web.static import Data

from tcworker.client.http import HTTP
from tcworker.client.services import Queue
from tcworker.embedded import taskcluster as taskcluster_module
from tcworker.embedded.page import service
from tcworker.embedded.settings import TaskclusterSettings
from tcworker.embedded.taskcluster import NO_MOUNTS, Taskcluster
from tcworker.errors import CallFailed
from tcworker.interfaces import Credentials
from tests.embedded.tasks import definition
from tests.embedded.wire import WORKER


class TaskclusterTestCase(TestCase):
    timeout = 30

    async def setUp(self) -> None:
        self.server = self.start()
        await self.server.when_listening()

    def start(self, port: int = 0, folder: str | None = None) -> Taskcluster:
        self.folder = folder or self.mktemp()
        server = Taskcluster(reactor, self.folder, TaskclusterSettings(port=port))
        server.startService()
        self.addCleanup(server.stopService)
        return server

    def queue(self, credentials: Credentials | dict[str, str] | None = None) -> Any:
        """Make a blocking client, to be used in a thread."""
        root = self.server.root_credentials
        given = credentials or {"clientId": root.client_id, "accessToken": root.access_token}
        return taskcluster.Queue({"rootUrl": self.server.root_url, "credentials": given, "maxRetries": 0})


class AWholeTask(TaskclusterTestCase):
    async def test_from_its_creation_to_its_artifacts(self) -> None:
        await deferToThread(self.live)

    def live(self) -> None:
        queue, task_id = self.queue(), taskcluster.slugId()
        self.assertEqual(queue.createTask(task_id, definition())["status"]["state"], "pending")
        [claim] = queue.claimWork("prov/type", WORKER)["tasks"]
        self.assertEqual(claim["status"]["taskId"], task_id)
        run = self.queue(claim["credentials"])
        renewed = self.queue(run.reclaimTask(task_id, 0)["credentials"])
        self.upload(renewed, task_id, "public/a file.txt", b"hello")
        link = {"storageType": "link", "artifact": "public/a file.txt", "expires": taskcluster.fromNow("1 hour")}
        renewed.createArtifact(task_id, 0, "public/link", link)
        self.assertEqual(renewed.reportCompleted(task_id, 0)["status"]["state"], "completed")
        self.assertEqual(self.read(queue.latestArtifact(task_id, "public/link")["url"]), b"hello")
        self.assertEqual(self.read(queue.buildSignedUrl("getLatestArtifact", task_id, "public/link")), b"hello")
        self.assertEqual(queue.getArtifact(task_id, 0, "public/link")["storageType"], "s3")
        names = [artifact["name"] for artifact in queue.listLatestArtifacts(task_id)["artifacts"]]
        self.assertEqual(names, ["public/a file.txt", "public/link"])
        self.assertEqual(queue.listTaskGroup(task_id)["tasks"][0]["task"]["payload"], {"a": 1})

    def upload(self, queue: Any, task_id: str, name: str, content: bytes) -> None:
        body = {"storageType": "s3", "contentType": "text/plain", "expires": taskcluster.fromNow("1 hour")}
        url = queue.createArtifact(task_id, 0, name, body)["putUrl"]
        requests.put(url, data=content, headers={"Content-Type": "text/plain"}, timeout=10).raise_for_status()

    def read(self, url: str) -> bytes:
        answer = requests.get(url, timeout=10)
        answer.raise_for_status()
        return answer.content

    async def test_what_is_refused(self) -> None:
        failure = await self.assertFailure(
            deferToThread(self.queue().task, taskcluster.slugId()), taskcluster.exceptions.TaskclusterRestFailure
        )
        self.assertEqual((failure.status_code, failure.body["code"]), (404, "ResourceNotFound"))
        wrong = {"clientId": self.server.root_credentials.client_id, "accessToken": "wrong"}
        refused = deferToThread(self.queue(wrong).task, taskcluster.slugId())
        await self.assertFailure(refused, taskcluster.exceptions.TaskclusterAuthFailure)


class OurOwnClient(TaskclusterTestCase):
    async def test_claims_reports_and_reads(self) -> None:
        http = HTTP(reactor)
        self.addCleanup(http.close)
        queue = Queue(http, self.server.root_url, lambda: self.server.root_credentials, reactor)
        task_id = taskcluster.slugId()
        dated = {name: taskcluster.fromNowJSON(later) for name, later in (("created", "0 s"), ("deadline", "1 hour"))}
        await queue.create_task(task_id, definition(**dated))
        [claim] = (await queue.claim_work("prov/type", WORKER))["tasks"]
        credentials = Credentials.from_json(claim["credentials"])
        run = Queue(http, self.server.root_url, lambda: credentials, reactor)
        await run.report_exception(task_id, 0, {"reason": "malformed-payload"})
        self.assertEqual((await queue.status(task_id))["status"]["state"], "exception")


class LongPolls(TaskclusterTestCase):
    def poll(self) -> Deferred[Any]:
        return deferToThread(self.queue().claimWork, "prov/type", WORKER)

    async def wait_for_pollers(self, count: int) -> None:
        """Wait until as many claimWork calls wait in the server."""
        while self.server._services.queue.polls.count < count:
            await deferLater(reactor, 0.01)

    async def test_a_task_reaches_who_waits(self) -> None:
        polling = self.poll()
        await self.wait_for_pollers(1)
        task_id = taskcluster.slugId()
        await deferToThread(self.queue().createTask, task_id, definition())
        [claim] = (await polling)["tasks"]
        self.assertEqual(claim["status"]["taskId"], task_id)

    async def test_stopping_answers_all_who_wait(self) -> None:
        polling = gatherResults([self.poll() for _ in range(3)])
        await self.wait_for_pollers(3)
        await self.server.stopService()
        self.assertEqual(await polling, [{"tasks": []}] * 3)

    async def test_polls_end_when_told_and_the_server_goes_on(self) -> None:
        polling = self.poll()
        await self.wait_for_pollers(1)
        self.server.end_polls()
        self.assertEqual(await polling, {"tasks": []})
        self.assertTrue((await deferToThread(self.queue().ping))["alive"])

    async def test_why_polls_cannot_be_ended_is_logged(self) -> None:
        self.patch(self.server, "end_polls", lambda: 1 // 0)
        happened: Deferred[int] = Deferred()
        waiting = self.server.end_polls_until(happened)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        happened.callback(5)
        self.assertEqual(await waiting, 5)


class StartAndStop(TaskclusterTestCase):
    async def test_a_port_that_is_taken(self) -> None:
        port = int(self.server.root_url.rsplit(":", 1)[1])
        second = Taskcluster(reactor, self.mktemp(), TaskclusterSettings(port=port))
        self.addCleanup(second.stopService)
        second.startService()
        failure = await self.assertFailure(second.when_listening(), CannotListenError)
        self.assertIn(str(port), str(failure))

    async def test_a_connection_that_idles_does_not_keep_it(self) -> None:
        with socket.create_connection(("127.0.0.1", int(self.server.root_url.rsplit(":", 1)[1]))) as idle:
            await deferToThread(self.queue().ping)
            await self.server.stopService()
            self.assertEqual(await deferToThread(idle.recv, 1), b"")

    async def test_a_call_that_takes_long_does_not_keep_connections(self) -> None:
        begun, over = Deferred[None](), threading.Event()

        def read(text: str) -> None:
            reactor.callFromThread(begun.callback, None)
            over.wait()

        self.addCleanup(over.set)
        self.patch(service, "read_yaml", read)
        self.patch(taskcluster_module, "PATIENCE", 0.1)
        reading = deferToThread(self.read_yaml)
        await begun
        stopping = self.server.stopService()
        await self.assertFailure(reading, requests.ConnectionError)
        # What a thread has begun comes to its end all the same: the process ends before it, if it must.
        over.set()
        await stopping

    def read_yaml(self) -> None:
        url, root = f"{self.server.root_url}/api/page/v1/read-yaml", self.server.root_credentials
        key = {"id": root.client_id, "key": root.access_token, "algorithm": "sha256"}
        signed = mohawk.Sender(key, url, "POST", content='{"text": "a"}', content_type="application/json")
        headers = {"Authorization": signed.request_header, "Content-Type": "application/json"}
        requests.post(url, data='{"text": "a"}', headers=headers, timeout=20)

    async def test_three_in_one_reactor(self) -> None:
        others = [self.start(), self.start()]
        for server in others:
            await server.when_listening()
        roots = {server.root_url for server in (self.server, *others)}
        self.assertEqual(len(roots), 3)

    def test_its_own_folder_is_nobody_elses(self) -> None:
        self.assertEqual(stat.S_IMODE(os.stat(self.folder).st_mode), 0o700)

    def test_the_token_is_not_in_its_text(self) -> None:
        token = self.server.root_credentials.access_token
        self.assertNotIn(token, repr(self.server.root_credentials))
        self.assertGreater(len(token), 40)


class Surroundings(TaskclusterTestCase):
    async def started(self, mounts: Mapping[str, IResource] = NO_MOUNTS, **settings: Any) -> Taskcluster:
        server = Taskcluster(reactor, self.mktemp(), TaskclusterSettings(**settings), mounts=mounts)
        self.addCleanup(server.stopService)
        server.startService()
        await server.when_listening()
        return server

    async def test_the_root_url_has_the_name_that_the_host_is_called_by(self) -> None:
        server = await self.started(interface="127.0.0.1", host="localhost")
        self.assertRegex(server.root_url, r"^http://localhost:\d+$")

    async def test_an_address_of_ipv6_is_in_brackets(self) -> None:
        server = await self.started(interface="::1")
        self.assertRegex(server.root_url, r"^http://\[::1\]:\d+$")
        self.server, task_id = server, taskcluster.slugId()
        # Both kinds of clients have signed it as they should.
        theirs = deferToThread(self.queue().task, task_id)
        failure = await self.assertFailure(theirs, taskcluster.exceptions.TaskclusterRestFailure)
        self.assertEqual(failure.status_code, 404)
        http = HTTP(reactor)
        self.addCleanup(http.close)
        ours = Queue(http, server.root_url, lambda: server.root_credentials, reactor).task(task_id)
        self.assertEqual((await self.assertFailure(ours, CallFailed)).status, 404)

    async def test_other_resources_have_paths_of_their_own(self) -> None:
        hello = Data(b"hello", "text/plain")
        hello.isLeaf = True
        server = await self.started(mounts={"/hello/": hello})
        answers = [
            await deferToThread(requests.get, server.root_url + path, timeout=10) for path in ("/hello/you", "/hello")
        ]
        self.assertEqual([answer.status_code for answer in answers], [200, 404])
        self.assertEqual(answers[0].content, b"hello")
