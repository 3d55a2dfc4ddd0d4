"""A server that is called by another address than its own: through a mapped port, or a proxy that speaks TLS."""

from __future__ import annotations

from typing import Any

import mohawk
import requests
import taskcluster
from twisted.internet import reactor
from twisted.internet.threads import deferToThread
from twisted.protocols.portforward import ProxyFactory
from twisted.trial.unittest import TestCase

from tcworker.embedded.settings import TaskclusterSettings
from tcworker.embedded.taskcluster import Taskcluster
from tests.embedded.tasks import definition
from tests.embedded.wire import WORKER

DATA = {"contentType": "text/plain", "storageType": "s3"}


class ProxyTestCase(TestCase):
    timeout = 30

    async def start(self, root_url: str) -> None:
        self.server = Taskcluster(reactor, self.mktemp(), TaskclusterSettings(root_url=root_url))
        self.addCleanup(self.server.stopService)
        self.server.startService()
        self.assertEqual(await self.server.when_listening(), root_url)


class AMappedPort(ProxyTestCase):
    async def setUp(self) -> None:
        mapped = ProxyFactory("127.0.0.1", 0)
        port = reactor.listenTCP(0, mapped, interface="127.0.0.1")
        await self.start(f"http://localhost:{port.getHost().port}")
        # Last to be cleaned up first: as long as the server closes connections, somebody must listen to it.
        self.addCleanup(port.stopListening)
        mapped.port = self.server.port

    async def test_is_that_of_a_whole_task_with_its_artifacts(self) -> None:
        self.assertEqual(await deferToThread(self.live), b"hello")

    def live(self) -> bytes:
        root = self.server.root_credentials
        credentials = {"clientId": root.client_id, "accessToken": root.access_token}
        queue = taskcluster.Queue({"rootUrl": self.server.root_url, "credentials": credentials, "maxRetries": 0})
        task_id = taskcluster.slugId()
        queue.createTask(task_id, definition())
        queue.claimWork("prov/type", WORKER)
        body = {**DATA, "expires": taskcluster.fromNow("1 hour")}
        address = queue.createArtifact(task_id, 0, "private/a", body)["putUrl"]
        requests.put(address, b"hello", headers={"Content-Type": "text/plain"}, timeout=10).raise_for_status()
        answer = requests.get(queue.buildSignedUrl("getArtifact", task_id, 0, "private/a"), timeout=10)
        self.assertTrue(answer.url.startswith(f"{self.server.root_url}/storage/"))
        return answer.content

    async def test_leaves_the_server_no_other_address(self) -> None:
        own = f"http://127.0.0.1:{self.server.port}/api/queue/v1/ping"
        self.assertEqual((await deferToThread(requests.get, own, timeout=10)).status_code, 421)


class ATlsProxy(ProxyTestCase):
    """By what it says of the calls that it passes on."""

    def call(self, path: str, host: str, **forwarded: str) -> Any:
        """Make a call of who may do everything, as a proxy passes it on."""
        root = self.server.root_credentials
        signer = {"id": root.client_id, "key": root.access_token, "algorithm": "sha256"}
        sender = mohawk.Sender(signer, self.server.root_url + path, "GET", content="", content_type="")
        headers = {"Host": host, "Authorization": sender.request_header}
        headers |= {f"X-Forwarded-{name}": value for name, value in forwarded.items()}
        return requests.get(f"http://127.0.0.1:{self.server.port}{path}", headers=headers, timeout=10)

    async def scopes(self, host: str, **forwarded: str) -> int:
        return int((await deferToThread(self.call, "/api/auth/v1/scopes/current", host, **forwarded)).status_code)

    async def test_says_that_it_speaks_tls(self) -> None:
        await self.start("https://tc.example.com")
        self.assertEqual(await self.scopes("tc.example.com", Proto="https"), 200)
        self.assertEqual(await self.scopes("tc.example.com", Port="443"), 200)

    async def test_without_a_word_is_not_believed(self) -> None:
        await self.start("https://tc.example.com")
        self.assertEqual(await self.scopes("tc.example.com"), 401)

    async def test_at_another_port_says_which(self) -> None:
        await self.start("https://tc.example.com:8443")
        self.assertEqual(await self.scopes("tc.example.com:8443"), 200)
        for host in ("tc.example.com", "tc.example.com:8443"):
            self.assertEqual(await self.scopes(host, Proto="https", Port="8443"), 200)

    async def test_of_another_name_is_refused(self) -> None:
        await self.start("https://tc.example.com")
        self.assertEqual(await self.scopes("evil.example", Proto="https"), 421)
