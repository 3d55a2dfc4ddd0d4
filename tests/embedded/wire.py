"""An embedded Taskcluster without a socket: real HTTP on transports in memory, by a clock that a test moves."""

from __future__ import annotations

import http.client
import io
import json
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, ClassVar
from urllib.parse import urlsplit

import mohawk
import slugid
from twisted.internet import task
from twisted.internet.defer import Deferred, execute, succeed
from twisted.internet.protocol import connectionDone
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from tcworker.embedded.auth.certificates import issue
from tcworker.embedded.settings import TaskclusterSettings
from tcworker.embedded.taskcluster import Taskcluster
from tcworker.embedded.times import Times
from tcworker.interfaces import Credentials

START = 1_800_000_000
HOUR = 3_600_000
QUEUE = "/api/queue/v1"
WORKER = {"workerGroup": "group", "workerId": "worker", "tasks": 1}


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.content)

    @property
    def code(self) -> str:
        return str(self.json["code"])


class _Socket:
    def __init__(self, content: bytes) -> None:
        self._content = content

    def makefile(self, mode: str) -> io.BytesIO:
        return io.BytesIO(self._content)


class _Transport(StringTransport):
    """A transport whose connection is lost when it is told to lose it."""

    def __init__(self) -> None:
        super().__init__()
        self.channel: Any = None

    def loseConnection(self) -> None:
        if not self.disconnecting:
            super().loseConnection()
            self.channel.connectionLost(Failure(connectionDone.value))


class Pending:
    """A request whose answer may still be to come, on a connection of its own."""

    def __init__(self, reactor: MemoryReactorClock, transport: _Transport, method: str) -> None:
        self._reactor, self._transport, self._method = reactor, transport, method

    @property
    def content(self) -> bytes:
        """All that came back on this connection."""
        return self._transport.value()

    def more(self, content: bytes) -> None:
        """Send something more on the same connection."""
        self._transport.channel.dataReceived(content)

    @property
    def answered(self) -> bool:
        return bool(self._transport.value())

    def answer(self) -> Answer:
        """Give the answer, which must have begun."""
        while self._transport.channel._requestProducer is not None:
            self._reactor.advance(0)
        response = http.client.HTTPResponse(_Socket(self._transport.value()), method=self._method)  # type: ignore[arg-type]
        response.begin()
        headers = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, headers, response.read())

    def hang_up(self) -> None:
        self._transport.loseConnection()


class InThisThread:
    """Does at once what else a thread does."""

    def __init__(self, reactor: Any, most: int, name: str) -> None:
        """Any number, any name."""

    def run(self, work: Callable[..., Any], *args: Any) -> Deferred[Any]:
        return execute(work, *args)

    def stop(self) -> Deferred[None]:
        return succeed(None)


class WireTestCase(SynchronousTestCase):
    """Starts a server for each test."""

    times = Times()
    arguments: ClassVar[Mapping[str, Any]] = {}
    """More of the server's settings."""

    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()
        self.reactor.advance(START)
        # Twisted hands out files by its one global cooperator, which would need the global reactor.
        self.patch(task, "_theCooperator", task.Cooperator(scheduler=partial(self.reactor.callLater, 0)))
        self.folder = self.mktemp()
        self.taskcluster = self.start()

    def start(self) -> Taskcluster:
        settings = TaskclusterSettings(host="taskcluster.test", port=80, times=self.times, **self.arguments)
        taskcluster = Taskcluster(self.reactor, self.folder, settings, new_threads=InThisThread)
        taskcluster.startService()
        self.addCleanup(lambda: taskcluster.running and self.stop(taskcluster))
        self.root = taskcluster.root_credentials
        self.site = self.reactor.tcpServers[-1][1]
        return taskcluster

    def stop(self, taskcluster: Taskcluster) -> None:
        self.successResultOf(taskcluster.stopService())

    def date(self, **later: float) -> str:
        return (datetime.fromtimestamp(self.reactor.seconds(), UTC) + timedelta(**later)).isoformat()

    def send(
        self,
        method: str,
        target: str,
        content: bytes = b"",
        headers: Mapping[str, str] | None = None,
        length: int | None = None,
    ) -> Pending:
        """Send a request as it stands; C{length} for a body of which C{content} is the beginning."""
        whole = len(content) if length is None else length
        transport = _Transport()
        channel = transport.channel = self.site.buildProtocol(None)
        channel.makeConnection(transport)
        lines = [f"{method} {target} HTTP/1.1", "Host: taskcluster.test:80", f"Content-Length: {whole}"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        channel.dataReceived("\r\n".join([*lines, "", ""]).encode("latin-1") + content)
        return Pending(self.reactor, transport, method)

    def begin(
        self,
        method: str,
        target: str,
        body: Any = None,
        credentials: Credentials | None = None,
        ext: str | None = None,
    ) -> Pending:
        """Send a call signed by mohawk."""
        content = b"" if body is None else json.dumps(body).encode()
        headers = {} if body is None else {"Content-Type": "application/json"}
        if credentials is not None:
            headers["Authorization"] = self.sign(method, target, content, credentials, ext)
        return self.send(method, target, content, headers)

    def sign(self, method: str, target: str, content: bytes, credentials: Credentials, ext: str | None = None) -> str:
        if ext is None and credentials.certificate is not None:
            ext = encode({"certificate": json.loads(credentials.certificate)})
        sender = mohawk.Sender(
            {"id": credentials.client_id, "key": credentials.access_token, "algorithm": "sha256"},
            f"http://taskcluster.test:80{target}",
            method,
            content=content,
            content_type="application/json" if content else "",
            ext=ext,
            _timestamp=str(int(self.reactor.seconds())),
        )
        return str(sender.request_header)

    def call(self, method: str, target: str, body: Any = None, credentials: Credentials | None = None) -> Answer:
        """Call something that is answered at once; by the root client unless credentials are given."""
        pending = self.begin(method, target, body, credentials or self.root)
        self.assertTrue(pending.answered, f"no answer to {method} {target}")
        return pending.answer()

    def ask(
        self, service: str, method: str, path: str, body: Any = None, credentials: Credentials | None = None
    ) -> Any:
        """Call a service, which must succeed; gives the answer's JSON."""
        answer = self.call(method, f"/api/{service}/v1{path}", body, credentials)
        self.assertLess(answer.status, 400, answer.content)
        return answer.json if answer.content else None

    def refused(
        self,
        service: str,
        status: int,
        code: str,
        method: str,
        path: str,
        body: Any = None,
        credentials: Credentials | None = None,
    ) -> str:
        """Call a service, which must refuse; gives the message."""
        return self.assertRefused(self.call(method, f"/api/{service}/v1{path}", body, credentials), status, code)

    def assertRefused(self, answer: Answer, status: int, code: str) -> str:
        self.assertEqual((answer.status, answer.code), (status, code), answer.content)
        return str(answer.json["message"])

    def with_scopes(self, *scopes: str) -> Credentials:
        """Give the credentials, for an hour, of somebody who has these scopes and those of everybody."""
        now = int(self.reactor.seconds() * 1000)
        return issue(self.root, "somebody", scopes, now, now + HOUR)

    def definition(self, **more: Any) -> dict[str, Any]:
        return {
            "taskQueueId": "prov/type",
            "created": self.date(),
            "deadline": self.date(hours=1),
            "payload": {},
            "metadata": {"name": "n", "description": "d", "owner": "o", "source": "https://example.com"},
            **more,
        }

    def create(self, **more: Any) -> str:
        """Create a task and give its taskId."""
        task_id = str(slugid.nice())
        self.ask("queue", "PUT", f"/task/{task_id}", self.definition(**more))
        return task_id

    def claim(self) -> Any:
        """Claim the one task that waits."""
        [claim] = self.ask("queue", "POST", "/claim-work/prov%2Ftype", WORKER)["tasks"]
        return claim

    def run_of_own(self, **more: Any) -> tuple[str, Credentials]:
        """Create and claim a task; gives the path of its run and the run's credentials."""
        task_id = self.create(**more)
        return f"/task/{task_id}/runs/0", Credentials.from_json(self.claim()["credentials"])

    def status(self, task_id: str) -> Any:
        return self.ask("queue", "GET", f"/task/{task_id}/status")["status"]

    def ends(self, task_id: str) -> list[tuple[str, str | None]]:
        """How each run of a task stands."""
        return [(run["state"], run.get("reasonResolved")) for run in self.status(task_id)["runs"]]


def encode(ext: Any) -> str:
    """Encode what goes into C{ext}."""
    return b64encode(json.dumps(ext).encode()).decode()


def target_of(url: str) -> str:
    """Give what of an address stands in the request line."""
    split = urlsplit(url)
    return f"{split.path}?{split.query}"
