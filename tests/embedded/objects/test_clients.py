"""Artifacts uploaded and downloaded on a real port by the C{taskcluster} package's own helpers, in threads."""

from __future__ import annotations

import hashlib
import os
import socket
from io import BytesIO
from typing import Any
from urllib.parse import urlsplit

import requests
import taskcluster
from taskcluster.download import downloadArtifactToBuf, downloadArtifactToFile, downloadToBuf
from taskcluster.exceptions import ObjectHashVerificationError, TaskclusterRestFailure
from taskcluster.upload import uploadFromBuf, uploadFromFile
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from tcworker.client.http import HTTP
from tcworker.client.services import Object, Queue
from tcworker.embedded.taskcluster import Taskcluster
from tcworker.filebody import MemoryFile
from tcworker.interfaces import Credentials
from tcworker.task.haste import Haste
from tcworker.task.object_upload import ObjectUpload
from tcworker.task.patience import Patience
from tcworker.task.speed import Speed
from tcworker.task.upload import Content, Run

SIZES = (0, 1, 8191, 8192, 99_999, 100_000, 5_000_001)
"""Of what is small to the helpers, and to the server that spools bodies, and what is not."""


class ClientsTestCase(TestCase):
    timeout = 60

    async def setUp(self) -> None:
        self.folder = self.mktemp()
        self.server = Taskcluster(reactor, self.folder)
        self.server.startService()
        self.addCleanup(self.server.stopService)
        await self.server.when_listening()
        await deferToThread(self.claim)

    def options(self, credentials: Any = None) -> dict[str, Any]:
        root = self.server.root_credentials
        given = credentials or {"clientId": root.client_id, "accessToken": root.access_token}
        return {"rootUrl": self.server.root_url, "credentials": given, "maxRetries": 0}

    def claim(self) -> None:
        """Have a run of one's own, whose artifacts they are."""
        self.root = taskcluster.Queue(self.options())
        self.task_id = taskcluster.slugId()
        dates = {"created": taskcluster.fromNow("0 seconds"), "deadline": taskcluster.fromNow("1 hour")}
        metadata = {"name": "n", "description": "d", "owner": "o", "source": "https://example.com"}
        self.root.createTask(self.task_id, {"taskQueueId": "p/t", "payload": {}, "metadata": metadata, **dates})
        [claim] = self.root.claimWork("p/t", {"workerGroup": "g", "workerId": "w"})["tasks"]
        self.of_run = claim["credentials"]
        self.queue = taskcluster.Queue(self.options(self.of_run.copy()))
        self.expires = taskcluster.fromNow("50 minutes")

    def create(self, name: str, kind: str) -> Any:
        body = {"storageType": kind, "contentType": "application/x-thing", "expires": self.expires}
        return self.queue.createArtifact(self.task_id, 0, name, body)

    def publish_object(self, name: str, content: bytes, by_file: bool = False) -> None:
        made = self.create(name, "object")
        about: dict[str, Any] = {
            **{key: made[key] for key in ("projectId", "name", "uploadId", "expires")},
            "contentType": "application/x-thing",
            "contentLength": len(content),
            "objectService": taskcluster.Object(self.options(made["credentials"])),
        }
        if by_file:
            uploadFromFile(file=BytesIO(content), **about)
        else:
            uploadFromBuf(data=content, **about)
        self.queue.finishArtifact(self.task_id, 0, name, {"uploadId": made["uploadId"]})

    def publish_s3(self, name: str, content: bytes, **headers: str) -> Any:
        url = self.create(name, "s3")["putUrl"]
        headers = {"Content-Type": "application/x-thing", **headers}
        return requests.put(url, data=content, headers=headers, timeout=30)

    def download(self, name: str) -> tuple[bytes, str]:
        content, content_type = downloadArtifactToBuf(taskId=self.task_id, name=name, queueService=self.root)
        return bytes(content), content_type


class Objects(ClientsTestCase):
    async def test_of_many_sizes(self) -> None:
        for size in SIZES:
            await deferToThread(self.round_trip, size)

    def round_trip(self, size: int) -> None:
        content, name = os.urandom(size), f"public/of {size}"
        self.publish_object(name, content, by_file=size % 2 == 0)
        self.assertEqual(self.download(name), (content, "application/x-thing"))
        known = taskcluster.Object(self.options()).object(f"t/{self.task_id}/0/{name}")
        self.assertEqual(known["hashes"]["sha512"], hashlib.sha512(content).hexdigest())
        location = requests.get(f"{self.root.buildUrl('getLatestArtifact', self.task_id, name)}", timeout=30)
        self.assertEqual(location.content, content)

    async def test_one_that_was_changed_on_its_way_is_not_taken(self) -> None:
        await deferToThread(self.publish_object, "public/a", b"x" * 10_000)
        [path] = [os.path.join(self.folder, "artifacts", name) for name in os.listdir(f"{self.folder}/artifacts")]
        os.truncate(path, 9_999)
        await self.assertFailure(deferToThread(self.download, "public/a"), ObjectHashVerificationError)

    async def test_without_an_artifact(self) -> None:
        def live() -> bytes:
            service = taskcluster.Object(self.options())
            about = {"projectId": "p", "name": "any/name", "contentType": "text/plain", "contentLength": 9000}
            uploadFromBuf(data=b"x" * 9000, expires=self.expires, objectService=service, **about)
            return bytes(downloadToBuf(name="any/name", objectService=service)[0])

        self.assertEqual(await deferToThread(live), b"x" * 9000)

    async def test_not_before_it_is_finished(self) -> None:
        await deferToThread(self.create, "public/a", "object")
        failure = await self.assertFailure(deferToThread(self.download, "public/a"), TaskclusterRestFailure)
        self.assertEqual(failure.status_code, 404)


class S3(ClientsTestCase):
    async def test_of_many_sizes(self) -> None:
        for size in SIZES:
            await deferToThread(self.round_trip, size)

    def round_trip(self, size: int) -> None:
        content, name = os.urandom(size), f"public/of {size}"
        self.assertEqual(self.publish_s3(name, content).status_code, 200)
        self.assertEqual(self.download(name), (content, "application/x-thing"))
        file = BytesIO()
        downloadArtifactToFile(file=file, taskId=self.task_id, runId=0, name=name, queueService=self.root)
        self.assertEqual(hashlib.sha256(file.getvalue()).digest(), hashlib.sha256(content).digest())

    async def test_of_names_that_look_like_other_folders(self) -> None:
        for name in ("public/a/../b", "public//c", "public/./d", "public/e/.."):
            content = name.encode()
            self.assertEqual((await deferToThread(self.publish_s3, name, content)).status_code, 200, name)
            self.assertEqual((await deferToThread(self.download, name))[0], content)

    async def test_one_without_a_length_is_not_taken(self) -> None:
        def chunked() -> Any:
            url, headers = self.create("public/a", "s3")["putUrl"], {"Content-Type": "application/x-thing"}
            return requests.put(url, data=iter([b"hel", b"lo"]), headers=headers, timeout=30)

        self.assertEqual((await deferToThread(chunked)).status_code, 411)

    async def test_compression_is_given_back_whoever_asks(self) -> None:
        def live() -> Any:
            self.publish_s3("public/a", b"\x1f\x8b not really", **{"Content-Encoding": "gzip"})
            url = self.root.latestArtifact(self.task_id, "public/a")["url"]
            with requests.get(url, headers={"Accept-Encoding": "identity"}, stream=True, timeout=30) as answer:
                return answer.headers["content-encoding"], answer.raw.read()

        self.assertEqual(await deferToThread(live), ("gzip", b"\x1f\x8b not really"))

    async def test_who_reads_slowly_keeps_nobody_waiting(self) -> None:
        await deferToThread(self.publish_s3, "public/a", bytes(20_000_000))
        url = (await deferToThread(self.root.latestArtifact, self.task_id, "public/a"))["url"]
        where = urlsplit(url)
        with socket.create_connection((where.hostname or "", where.port or 0)) as slow:
            slow.sendall(f"GET {where.path}?{where.query} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            self.assertTrue(await deferToThread(slow.recv, 10))
            content, _ = await deferToThread(self.download, "public/a")
            self.assertEqual(len(content), 20_000_000)
            self.assertTrue((await deferToThread(self.root.ping))["alive"])


class OurOwnWorker(ClientsTestCase):
    async def test_its_uploads_are_what_others_download(self) -> None:
        http = HTTP(reactor)
        self.addCleanup(http.close)
        content = os.urandom(200_000)
        await self.upload(http, "public/a", MemoryFile("a", content))
        self.assertEqual(await deferToThread(self.download, "public/a"), (content, "application/x-thing"))

    def upload(self, http: HTTP, name: str, file: MemoryFile) -> Deferred[None]:
        """Upload as a worker does whose configuration says C{createObjectArtifacts}."""
        url = self.server.root_url
        queue = Queue(http, url, lambda: Credentials.from_json(self.of_run), reactor)
        haste = Haste(reactor.seconds, Speed(reactor.seconds), lambda: 10)
        run = Run(self.task_id, 0, queue, Patience(reactor, haste.all_left), haste)
        upload = ObjectUpload(http, run, lambda credentials: Object(http, url, lambda: credentials, reactor))
        content = Content(name, file, "application/x-thing", "identity", file.size)
        return Deferred.fromCoroutine(upload.send(content, taskcluster.stringDate(self.expires)))
