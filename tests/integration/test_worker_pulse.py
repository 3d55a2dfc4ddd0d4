"""A worker that listens to a real RabbitMQ, and what becomes of its tasks when that goes, lies or is cut off."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote

from twisted.internet.defer import Deferred, gatherResults
from twisted.logger import formatEvent, globalLogPublisher
from twisted.protocols.portforward import ProxyFactory, ProxyServer

from tcworker.amqp import link
from tcworker.pulse import service
from tcworker.pulse.messages import EXCHANGE
from tests.chances import SOAKING
from tests.client.servers import Authority, listen
from tests.definitions import shell
from tests.integration import rabbitmq
from tests.integration.pulse_consumer import Publisher
from tests.integration.task_case import FILE, TaskCase
from tests.surroundings import until

LONG = """
trap 'echo told to end; exit 1' TERM
echo so far > out.txt
echo at work
touch begun
# Its child may be gone before it is told itself.
while true; do sleep 1000 & wait; done
"""
"""A task that has begun to do something, and says so when it is told to end."""

NEVER = 10_000
"""Seconds between two times that the queue is asked, where pulse alone shall be heard."""


class ListeningCase(TaskCase):
    """Tests of a worker with a broker, which the Taskcluster has too.

    @ivar heard: the worker's log.
    """

    timeout = 120
    settings: ClassVar[Mapping[str, Any]] = {"statusPollSecs": NEVER, "capacity": 2}

    async def prepare(self) -> None:
        self.broker = rabbitmq.shared()
        await self.broker.when_ready()
        self.log: list[str] = []
        observer = lambda event: self.log.append(formatEvent(event))  # noqa: E731  # to be removed by itself
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)
        await super().prepare()

    def tearDown(self) -> None:
        written = "\n".join(self.log)
        for secret in (rabbitmq.PASSWORD, quote(rabbitmq.PASSWORD, safe="")):
            self.assertNotIn(secret, written)

    def pulse(self) -> str:
        return self.broker.url

    def own_settings(self) -> Mapping[str, Any]:
        return {"pulse": self.broker.url}

    def times_logged(self, text: str) -> int:
        return sum(text in line for line in self.log)

    async def until_logged(self, text: str, times: int = 1) -> None:
        """Wait until so many lines of the log contain something."""
        await until(lambda: self.times_logged(text) >= times, 60, lambda: "\n".join(self.log))

    async def until_listening(self, times: int = 1) -> None:
        """Wait until the worker has connected to the broker so often."""
        await self.until_logged("listening to the broker", times)

    async def begin(self, script: str = LONG) -> str:
        """Have the worker begin a task; gives its id."""
        task_id = await self.client.create(shell(script, artifacts=[FILE]))
        await self.client.until(task_id, "running")
        await self.until_begun()
        return task_id

    async def assertCanceled(self, task_id: str) -> None:
        """Fail unless a task is ended, and leaves what it did so far, and the worker goes on."""
        outcome = await self.client.outcome(task_id)
        await until(lambda: self.times_logged("ended as exception/canceled") >= 1)
        outcome = await self.client.seen(task_id, outcome.runs)
        self.assertResolved(outcome, "exception/canceled", "at work", "cancel", "told to end")
        self.assertIn(FILE["name"], outcome.artifacts)
        self.assertEqual(len(outcome.runs), 1)
        await self.assertWorks()


class ABroker(ListeningCase):
    async def test_a_task_that_is_cancelled_ends_at_once(self) -> None:
        await self.until_listening()
        task_id = await self.begin()
        await self.client.queue.cancel_task(task_id)
        await self.assertCanceled(task_id)

    async def test_what_else_goes_by_there_changes_nothing(self) -> None:
        await self.until_listening()
        task_id = await self.begin()
        await self.publish_nonsense(task_id)
        await self.until_logged("is none:", 3)
        self.assertEqual(await self.client.state(task_id), "running")
        await self.client.queue.cancel_task(task_id)
        await self.assertCanceled(task_id)

    async def publish_nonsense(self, task_id: str) -> None:
        """Say to this worker what is malformed, about others, of another run, or no end."""
        status = (await self.client.queue.status(task_id))["status"]
        key = f"primary.{task_id}.0.tests.w1.a.b.-.{task_id}._"
        canceled = {"runId": 0, "state": "exception", "reasonResolved": "canceled"}
        other_run = {**status, "runs": [*status["runs"], {**canceled, "runId": 1}]}
        other_task = {**status, "taskId": "A" * 22, "runs": [canceled]}
        own_report = {**status, "runs": [{**canceled, "reasonResolved": "worker-shutdown"}]}
        publisher = await Publisher.connect(self.broker)
        for body in (
            b"",
            b"\xff" * 5000,
            b'{"version": 1, "runId": 0}',
            *(json.dumps({"status": each, "runId": 0}).encode() for each in (status, other_task, own_report)),
            json.dumps({"status": other_run, "runId": 1}).encode(),
        ):
            publisher.publish(EXCHANGE, key, body)
            publisher.publish(EXCHANGE, key, body)
        await publisher.close()

    async def test_a_worker_that_is_stopped_leaves_no_queue_behind(self) -> None:
        await self.until_listening()
        publisher = await Publisher.connect(self.broker)
        self.assertEqual(await publisher.routed(EXCHANGE, "primary.a.0.tests.w1.a.b._"), True)
        self.site.worker.drain()
        await self.site.until_stopped(self.site.worker)
        self.assertEqual(await publisher.routed(EXCHANGE, "primary.a.0.tests.w1.a.b._"), False)
        await publisher.close()


class AUserWhoMayLittle(ListeningCase):
    """As brokers that many share give their users: their own names to make, and all exchanges to read."""

    async def prepare(self) -> None:
        broker = rabbitmq.shared()
        await broker.when_ready()
        name = f"worker-{id(self)}"
        own = f"^queue/{name}/.*"
        await broker.control("add_user", name, "its password")
        await broker.control("set_permissions", "-p", rabbitmq.VHOST, name, own, own, f"^(queue/{name}/.*|exchange/.*)")
        self.addCleanup(lambda: Deferred.fromCoroutine(broker.control("delete_user", name)))
        self.url = broker.url_of(name, "its password")
        await super().prepare()

    def own_settings(self) -> Mapping[str, Any]:
        return {"pulse": self.url}

    async def test_that_is_enough(self) -> None:
        await self.until_listening()
        task_id = await self.begin()
        await self.client.queue.cancel_task(task_id)
        await self.assertCanceled(task_id)
        self.assertEqual(self.times_logged("its password"), 0)


class NoBroker(ListeningCase):
    """A broker that is away, or refuses the worker, is nobody's trouble."""

    settings: ClassVar[Mapping[str, Any]] = {"statusPollSecs": 1, "capacity": 2}
    refusals: ClassVar[Mapping[str, str]] = {}

    def own_settings(self) -> Mapping[str, Any]:
        return {"pulse": f"amqp://guest:{quote(rabbitmq.PASSWORD, safe='')}@127.0.0.1:1/"}

    async def test_tasks_run_and_cancellations_are_noticed_by_asking(self) -> None:
        await self.until_logged("is not to be heard")
        await self.assertWorks()
        task_id = await self.begin()
        await self.client.queue.cancel_task(task_id)
        await self.assertCanceled(task_id)


class ABrokerThatRefuses(NoBroker):
    def own_settings(self) -> Mapping[str, Any]:
        return {"pulse": self.broker.url_of(rabbitmq.USER, "not the password")}

    async def test_tasks_run_and_cancellations_are_noticed_by_asking(self) -> None:
        await super().test_tasks_run_and_cancellations_are_noticed_by_asking()
        self.assertTrue(self.times_logged("ACCESS_REFUSED"))
        self.assertFalse(self.times_logged("not the password"))


class ABrokerThatComesAndGoes(ListeningCase):
    settings: ClassVar[Mapping[str, Any]] = {"statusPollSecs": 1, "capacity": 8}
    ROUNDS = 5 if SOAKING else 1
    timeout = 300

    async def test_every_cancellation_is_noticed(self) -> None:
        # It comes and goes faster than brokers do, and is to be looked for as often.
        self.patch(link, "STEADY", 0.5)
        await self.until_listening()
        for count in range(1, self.ROUNDS + 1):
            await self.cancel_eight()
            await self.until_listening(count + 1)
            await self.until_logged("ended as exception/canceled", 8 * count)
        await self.assertWorks()

    async def cancel_eight(self) -> None:
        """Have as many begin, and cancel some while the broker is there, as it goes, without it, and as it comes."""
        tasks = await gatherResults([Deferred.fromCoroutine(self.begin()) for _ in range(8)])
        lost = self.times_logged("is not to be heard")
        await self.cancel(tasks[:2])
        self.broker.stop()
        await self.cancel(tasks[2:4])
        await self.until_logged("is not to be heard", lost + 1)
        await self.cancel(tasks[4:6])
        self.broker.start()
        await self.cancel(tasks[6:])
        await self.broker.when_ready()

    async def cancel(self, tasks: list[str]) -> None:
        for task_id in tasks:
            await self.client.queue.cancel_task(task_id)


class _Swallower(ProxyServer):
    """A way to the broker that can be cut, with or without a word."""

    factory: Any

    def connectionMade(self) -> None:
        self.factory.connections.append(self)
        if self.factory.closed:
            self.transport.abortConnection()
        else:
            super().connectionMade()

    def dataReceived(self, data: bytes) -> None:
        if not self.factory.deaf:
            super().dataReceived(data)


class _ClientSide(_Swallower.clientProtocolFactory.protocol):  # type: ignore[name-defined,misc]  # Twisted's own
    def dataReceived(self, data: bytes) -> None:
        if not self.peer.factory.deaf:
            super().dataReceived(data)


class _Swallowing(ProxyFactory):
    protocol = _Swallower
    noisy = False

    def __init__(self, port: int) -> None:
        super().__init__(rabbitmq.HOST, port)
        self.connections: list[Any] = []
        self.deaf = self.closed = False


class BehindAProxy(ListeningCase):
    """A worker whose way to the broker leads through what may fail."""

    def own_settings(self) -> Mapping[str, Any]:
        self.patch(_Swallower.clientProtocolFactory, "protocol", _ClientSide)
        self.patch(_Swallower.clientProtocolFactory, "noisy", False)
        self.proxy = _Swallowing(self.broker.port)
        port = listen(self, self.proxy)
        return {"pulse": self.broker.url.replace(f":{self.broker.port}/", f":{port}/")}

    async def test_what_was_missed_is_asked_for_once_it_is_connected_again(self) -> None:
        await self.until_listening()
        task_id = await self.begin()
        self.proxy.closed = True
        for connection in self.proxy.connections:
            connection.transport.abortConnection()
        await self.until_logged("is not to be heard")
        await self.client.queue.cancel_task(task_id)
        self.proxy.closed = False
        await self.assertCanceled(task_id)


class BehindASilentProxy(BehindAProxy):
    def own_settings(self) -> Mapping[str, Any]:
        # As short as it may be: six seconds then pass before it is noticed, or twelve.
        self.patch(service, "HEARTBEAT", 1)
        return super().own_settings()

    async def test_what_was_missed_is_asked_for_once_it_is_connected_again(self) -> None:
        await self.until_listening()
        task_id = await self.begin()
        self.proxy.deaf = True
        await self.client.queue.cancel_task(task_id)
        await self.until_logged("is not to be heard")
        self.proxy.deaf = False
        await self.assertCanceled(task_id)

    async def test_a_worker_that_stops_does_not_wait_for_it(self) -> None:
        await self.until_listening()
        self.proxy.deaf = True
        self.site.worker.stop_now(5)
        await self.site.until_stopped(self.site.worker)


class ByTLS(ListeningCase):
    """A broker with a certificate, which the worker checks by its own bundle."""

    name = "localhost"

    def bundle(self) -> Path:
        """Who is trusted."""
        path = Path(self.mktemp()).absolute()
        path.write_bytes(self.authority.pem)
        return path

    def own_settings(self) -> Mapping[str, Any]:
        self.authority = Authority()
        proxy = ProxyFactory(rabbitmq.HOST, self.broker.port)
        proxy.noisy = False
        port = listen(self, proxy, self.authority.context(self.name))
        url = self.broker.url.replace("amqp:", "amqps:").replace(f"127.0.0.1:{self.broker.port}", f"localhost:{port}")
        return {"pulse": url, "caBundle": str(self.bundle())}

    async def test_it_is_listened_to(self) -> None:
        await self.until_listening()
        task_id = await self.begin()
        await self.client.queue.cancel_task(task_id)
        await self.assertCanceled(task_id)


class ByTLSOfSomebodyElse(ByTLS):
    """One whose certificate nobody trusts is told no password."""

    def bundle(self) -> Path:
        path = Path(self.mktemp()).absolute()
        path.write_bytes(Authority().pem)
        return path

    async def test_it_is_listened_to(self) -> None:
        await self.until_logged("certificate verify failed")
        self.assertEqual(self.times_logged("listening to the broker"), 0)
        await self.assertWorks()


class ByTLSOfAnotherHost(ByTLS):
    """One with a certificate that is in order, but for another host."""

    name = "broker.example"

    async def test_it_is_listened_to(self) -> None:
        await self.until_logged("is not to be heard")
        self.assertTrue(self.times_logged("VerificationError"), self.log)
        self.assertEqual(self.times_logged("listening to the broker"), 0)
