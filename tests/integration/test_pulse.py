"""Pulse with a real RabbitMQ, and consumers who bind as Taskcluster's clients do."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import taskcluster
from taskcluster import AuthEvents, QueueEvents, WorkerManagerEvents
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread
from twisted.logger import formatEvent, globalLogPublisher
from twisted.protocols.portforward import ProxyFactory
from twisted.trial.unittest import TestCase

from tcworker.embedded.outbox import Message, Outbox
from tcworker.embedded.pulse import service
from tcworker.embedded.pulse.service import EXCHANGES, Pulse
from tcworker.embedded.settings import TaskclusterSettings
from tcworker.embedded.taskcluster import Taskcluster
from tcworker.embedded.times import Times
from tcworker.waiting import pause
from tests.client.servers import Authority, listen
from tests.embedded.tasks import definition
from tests.embedded.wire import WORKER
from tests.integration import rabbitmq
from tests.integration.pulse_consumer import Consumer, Delivery
from tests.surroundings import until

EVENTS = {"rootUrl": "http://taskcluster.test"}
KEY = "primary.task.0.group.worker.prov.type.sched.group._"
PENDING = "exchange/taskcluster-queue/v1/task-pending"
EVERYTHING = {"exchange": PENDING, "routingKeyPattern": "#"}


class PulseTestCase(TestCase):
    timeout = 120

    async def setUp(self) -> None:
        self.broker = rabbitmq.shared()
        await self.broker.when_ready()
        self.outbox = Outbox()
        self.log: list[str] = []
        observer = lambda event: self.log.append(formatEvent(event))  # noqa: E731  # to be removed by itself
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)

    def tearDown(self) -> None:
        self.assertNotIn(rabbitmq.PASSWORD, "\n".join(self.log))

    def publish(self, url: str | None = None) -> Pulse:
        pulse = Pulse(reactor, url or self.broker.url, self.outbox)
        pulse.startService()
        self.addCleanup(lambda: pulse.running and pulse.stopService())
        return pulse

    async def serve(self, url: str) -> tuple[Taskcluster, Any]:
        """Start a server, and make a blocking client of its queue."""
        settings = TaskclusterSettings(times=Times(dependencies=0.05), pulse=url)
        server = Taskcluster(reactor, self.mktemp(), settings)
        server.startService()
        self.addCleanup(lambda: server.running and server.stopService())
        await server.when_listening()
        root = server.root_credentials
        credentials = {"clientId": root.client_id, "accessToken": root.access_token}
        return server, taskcluster.Queue({"rootUrl": server.root_url, "credentials": credentials, "maxRetries": 0})

    async def consumer(self, *bindings: Mapping[str, str]) -> Consumer:
        consumer = Consumer(self.broker, self.id())
        await consumer.connect()
        self.addCleanup(lambda: Deferred.fromCoroutine(consumer.close()))
        for binding in bindings:
            await consumer.bind(binding)
        return consumer

    def send(self, *numbers: int) -> None:
        self.outbox.send(Message("queue", "task-pending", KEY, number) for number in numbers)

    async def logged(self, text: str) -> None:
        """Wait for a line of the log."""
        await until(lambda: any(text in line for line in self.log), 60, lambda: self.log)


class Exchanges(PulseTestCase):
    async def test_all_are_there_for_whoever_binds(self) -> None:
        self.publish()
        consumer = await self.consumer(*({"exchange": name, "routingKeyPattern": "primary.#"} for name in EXCHANGES))
        for name in EXCHANGES:
            _, service, _, exchange = name.split("/")
            self.outbox.send([Message(service.removeprefix("taskcluster-"), exchange, KEY, name)])
        got = [await consumer.next() for _ in EXCHANGES]
        self.assertEqual([(one.exchange, one.payload) for one in got], [(name, name) for name in EXCHANGES])

    def test_they_are_those_that_clients_know(self) -> None:
        known = [
            getattr(events, name)({})["exchange"]
            for events in (QueueEvents(EVENTS), WorkerManagerEvents(EVENTS), AuthEvents(EVENTS))
            for name in vars(type(events))
            if name[0] != "_" and callable(getattr(events, name))
        ]
        self.assertEqual(sorted(known), sorted(EXCHANGES))


class ATasksLife(PulseTestCase):
    """The whole server, used by the C{taskcluster} package in a thread."""

    async def setUp(self) -> None:
        await super().setUp()
        _, self.queue = await self.serve(self.broker.url)
        self.events = QueueEvents(EVENTS)

    async def create(self, **more: Any) -> str:
        task_id = str(taskcluster.slugId())
        await deferToThread(self.queue.createTask, task_id, definition(**more))
        return task_id

    async def claim(self) -> None:
        await deferToThread(self.queue.claimWork, "prov/type", WORKER)

    async def test_by_its_task_id(self) -> None:
        names = ("taskDefined", "taskPending", "taskRunning", "artifactCreated", "taskCompleted")
        task_id = str(taskcluster.slugId())
        consumer = await self.consumer(*(getattr(self.events, name)({"taskId": task_id}) for name in names))
        await consumer.bind(self.events.taskGroupResolved({"taskGroupId": task_id}))
        await self.create()
        await deferToThread(self.queue.createTask, task_id, definition(tags={"kind": "test"}, priority="high"))
        await self.claim()
        link = {"storageType": "link", "artifact": "public/b", "expires": taskcluster.fromNow("5 minutes")}
        await deferToThread(self.queue.createArtifact, task_id, 0, "public/a", link)
        await deferToThread(self.queue.reportCompleted, task_id, 0)
        got = [await consumer.next() for _ in range(6)]
        exchanges = ["task-defined", "task-pending", "task-running", "artifact-created", "task-completed"]
        self.assertEqual([_name(one) for one in got], [*exchanges, "task-group-resolved"])
        self.assertEqual(got[4].routing_key, f"primary.{task_id}.0.group.worker.prov.type.-.{task_id}._")
        self.assertEqual(got[4].payload["status"], (await deferToThread(self.queue.status, task_id))["status"])
        self.assertEqual(got[4].payload["task"], {"tags": {"kind": "test"}})
        shown = got[0].properties
        self.assertEqual((shown.content_type, shown.content_encoding), ("application/json", "utf-8"))
        self.assertEqual((shown.delivery_mode, shown.headers["CC"]), (2, []))

    async def test_a_worker_hears_that_its_run_is_cancelled(self) -> None:
        mine = self.events.taskException({"workerGroup": "group", "workerId": "worker"})
        self.assertTrue(mine["routingKeyPattern"].startswith("primary.*.*.group.worker."))
        consumer = await self.consumer(mine)
        task_id = await self.create()
        await self.claim()
        await deferToThread(self.queue.cancelTask, task_id)
        delivery = await consumer.next()
        run = delivery.payload["status"]["runs"][delivery.payload["runId"]]
        self.assertEqual((delivery.payload["status"]["taskId"], run["reasonResolved"]), (task_id, "canceled"))

    async def test_by_its_routes(self) -> None:
        binding = {**self.events.taskDefined({}), "routingKeyPattern": "route.index.project.#"}
        consumer = await self.consumer(binding, {**binding, "routingKeyPattern": "route.mine"})
        await self.create(routes=["other"])
        task_id = await self.create(routes=["index.project.x.y", "mine", "other"])
        delivery = await consumer.next()
        self.assertEqual(delivery.payload["status"]["taskId"], task_id)
        self.assertEqual(delivery.properties.headers["CC"], ["route.index.project.x.y", "route.mine", "route.other"])
        self.assertEqual(await consumer.waiting(), 0)


class ABrokerThatGoes(PulseTestCase):
    async def test_nothing_is_lost_and_order_is_kept(self) -> None:
        consumer = await self.consumer(EVERYTHING)
        self.publish()
        self.send(*range(3000))
        while await consumer.waiting() <= 100:
            await pause(reactor, 0.01)
        self.broker.stop()
        self.send(*range(3000, 3100))
        await self.logged("no broker at")
        self.broker.start()
        self.send(*range(3100, 3200))
        await self.broker.when_ready()
        await consumer.connect()
        got = [(await consumer.next()).payload]
        while got[-1] != 3199:
            got.append((await consumer.next()).payload)
        # What was sent and not confirmed comes twice; nothing comes before what was sent before it.
        self.assertEqual(list(dict.fromkeys(got)), list(range(3200)))


class ABrokerThatIsAway(PulseTestCase):
    AWAY = f"amqp://guest:{rabbitmq.PASSWORD.replace('/', '%2F')}@{rabbitmq.HOST}:1/"

    async def setUp(self) -> None:
        await super().setUp()
        # It takes leave of nobody, for so long.
        self.patch(service, "FLUSH_SECONDS", 0.2)

    async def test_pulse_can_be_stopped(self) -> None:
        pulse = self.publish(self.AWAY)
        self.send(1, 2)
        await self.logged("no broker at")
        await pulse.stopService()
        await self.logged("messages lost: 2")

    async def test_calls_do_not_wait_for_it(self) -> None:
        server, queue = await self.serve(self.AWAY)
        task_id = str(taskcluster.slugId())
        await deferToThread(queue.createTask, task_id, definition())
        self.assertEqual((await deferToThread(queue.status, task_id))["status"]["state"], "pending")
        await server.stopService()
        await self.logged("messages lost: 2")


class ABrokerThatRefuses(PulseTestCase):
    async def test_a_wrong_password(self) -> None:
        pulse = self.publish(self.broker.url_of(rabbitmq.USER, "wrong-secret"))
        await self.logged("ACCESS_REFUSED")
        await self.logged("next attempt in")
        self.assertNotIn("wrong-secret", "\n".join(self.log))
        await pulse.stopService()

    async def test_a_virtual_host_that_is_not_there(self) -> None:
        self.publish(self.broker.url_of(rabbitmq.USER, rabbitmq.PASSWORD, "nowhere"))
        await self.logged("vhost nowhere not found")


class BehindTLS(PulseTestCase):
    async def setUp(self) -> None:
        await super().setUp()
        self.authority = Authority()
        proxy = ProxyFactory(rabbitmq.HOST, self.broker.port)
        proxy.noisy = False
        port = listen(self, proxy, self.authority.context("localhost"))
        self.url = self.broker.url.replace("amqp:", "amqps:").replace(
            f"127.0.0.1:{self.broker.port}", f"localhost:{port}"
        )

    def trust(self) -> None:
        """Let the system trust its authority until the test is over."""
        bundle = Path(self.mktemp()).absolute()
        bundle.write_bytes(self.authority.pem)
        os.environ["SSL_CERT_FILE"] = str(bundle)
        self.addCleanup(os.environ.pop, "SSL_CERT_FILE")

    async def test_a_broker_that_the_system_trusts(self) -> None:
        self.trust()
        consumer = await self.consumer(EVERYTHING)
        self.publish(self.url)
        self.send(1)
        self.assertEqual((await consumer.next()).payload, 1)

    async def test_a_broker_that_it_does_not(self) -> None:
        self.publish(self.url)
        await self.logged("certificate verify failed")


def _name(delivery: Delivery) -> str:
    return os.path.basename(delivery.exchange)
