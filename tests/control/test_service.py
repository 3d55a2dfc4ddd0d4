"""A worker's control socket, called as people and programs do."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import stat
from io import StringIO
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.internet.threads import deferToThread
from twisted.logger import globalLogPublisher
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase

from tcworker.control.client import NoWorker, call
from tcworker.control.orders import (
    CLEAR_CACHES,
    LIST_CACHES,
    LONGEST,
    PURGE_CACHE,
    SOCKET,
    Order,
    address_in,
    write_order,
)
from tcworker.control.service import CLOSE_SECONDS, PATIENCE, ControlService
from tcworker.waiting import OneShot
from tcworker.worker_log import text_observer
from tests.surroundings import open_folder, until


class ClockedReactor(Clock):
    """Sockets of the real reactor, on a clock of the test's own."""

    listenUNIX = reactor.listenUNIX


class ScriptedWorker:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def drain(self, why: str, *, seconds: float | None) -> None:
        self.told.append(("drain", seconds))

    def stop_now(self, seconds: float | None, why: str) -> None:
        self.told.append(("stop", seconds))

    def status(self) -> Any:
        return {"told": len(self.told), "runs": ["a run" * 100] * 300}


class ScriptedCaches:
    """Obeys when the test says so."""

    def __init__(self) -> None:
        self.told: list[Order] = []
        self.obeyed: OneShot[Any] = OneShot()

    async def obey(self, order: Order) -> str:
        self.told.append(order)
        return json.dumps(await self.obeyed.wait())


class ControlCase(TestCase):
    timeout = 60
    name = "state"

    def setUp(self) -> None:
        self.folder = os.path.join(open_folder(self), self.name)
        os.mkdir(self.folder, 0o700)
        self.worker, self.caches = ScriptedWorker(), ScriptedCaches()
        self.clock = ClockedReactor()
        self.service = ControlService(self.clock, self.folder, self.worker, self.caches)
        self.service.startService()
        self.addCleanup(self.stop)

    def stop(self) -> Deferred[None] | None:
        return self.service.stopService() if self.service.running else None

    @property
    def path(self) -> str:
        return os.path.join(self.folder, SOCKET)

    def leave_a_dead_one(self) -> None:
        with socket.socket(socket.AF_UNIX) as dead, address_in(self.folder) as address:
            dead.bind(address)

    def say(self, order: Order) -> Deferred[Any]:
        return deferToThread(call, self.folder, order)

    def connect(self) -> socket.socket:
        """Call, and say nothing yet."""
        connection = socket.socket(socket.AF_UNIX)
        self.addCleanup(connection.close)
        with address_in(self.folder) as address:
            connection.connect(address)
        return connection

    async def until_called(self) -> None:
        """Wait until the worker has noticed that somebody calls, whom it does not wait for without end."""
        await until(self.clock.getDelayedCalls)

    def answer_to(self, said: bytes) -> Deferred[bytes]:
        connection = self.connect()
        connection.sendall(said)
        return deferToThread(lambda: connection.makefile("rb").read())


class Calls(ControlCase):
    async def test_the_worker_does_what_it_is_told(self) -> None:
        for order in (Order("drain"), Order("drain", 60.0), Order("stop"), Order("stop", 5.0)):
            await self.say(order)
        self.assertEqual(self.worker.told, [("drain", None), ("drain", 60.0), ("stop", None), ("stop", 5.0)])

    async def test_the_answer_is_how_it_stands_then(self) -> None:
        self.assertEqual((await self.say(Order("status")))["told"], 0)
        answer = await self.say(Order("stop"))
        self.assertEqual((answer["told"], len(answer["runs"])), (1, 300))

    async def test_the_log_says_nothing_of_the_socket(self) -> None:
        stream = StringIO()
        observer = text_observer(stream)
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)
        await self.service.stopService()
        self.service.startService()
        self.assertEqual(stream.getvalue(), "")

    async def test_what_is_no_order_changes_nothing(self) -> None:
        answer = await self.answer_to(b'{"order": "explode"}\n')
        self.assertIn("expected drain", json.loads(answer)["error"])
        self.assertEqual(self.worker.told, [])

    async def test_one_order_a_call(self) -> None:
        await self.answer_to(b'{"order": "drain"}\n{"order": "stop"}\n')
        self.assertEqual(self.worker.told, [("drain", None)])

    async def test_more_than_an_order_is_cut_off(self) -> None:
        much = b"x" * (2 * LONGEST)
        for said in (much, much + b"\n"):
            self.assertEqual(await deferToThread(self.shout, said), b"")
        self.assertEqual(self.worker.told, [])

    def shout(self, said: bytes) -> bytes:
        connection = self.connect()
        with contextlib.suppress(ConnectionError):
            connection.sendall(said)
            return connection.recv(1)
        return b""

    async def test_who_says_nothing_is_cut_off(self) -> None:
        answer = self.answer_to(b'{"order":')
        await self.until_called()
        self.clock.advance(PATIENCE)
        self.assertEqual(await answer, b"")

    async def test_the_worker_ends_while_it_answers(self) -> None:
        def end(seconds: float | None, why: str) -> None:
            self.ending = self.service.stopService()

        self.patch(self.worker, "stop_now", end)
        self.assertEqual((await self.say(Order("stop")))["told"], 0)
        await self.ending

    async def test_one_who_says_nothing_does_not_hold_up_its_end(self) -> None:
        connection = self.connect()
        await self.until_called()
        await self.service.stopService()
        self.assertEqual(connection.recv(1), b"")


class CallsAboutCaches(ControlCase):
    async def test_the_answer_is_that_of_the_caches(self) -> None:
        self.caches.obeyed.succeed({"caches": ["one"]})
        for order in (Order(LIST_CACHES), Order(PURGE_CACHE, cache="a \n\u2028 name"), Order(CLEAR_CACHES)):
            self.assertEqual(await self.say(order), {"caches": ["one"]})
            self.assertEqual(self.caches.told.pop(), order)

    async def test_who_asked_is_told_what_failed(self) -> None:
        self.caches.obeyed.fail(Failure(OSError(28, "No space left on device")))
        answer = await self.say(Order(CLEAR_CACHES))
        self.assertEqual(answer, {"error": "it failed: [Errno 28] No space left on device"})
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)

    async def test_nobody_is_cut_off_while_they_obey(self) -> None:
        answer = self.say(Order(CLEAR_CACHES))
        await until(lambda: self.caches.told)
        self.clock.advance(10 * PATIENCE)
        self.caches.obeyed.succeed("done")
        self.assertEqual(await answer, "done")

    async def test_what_is_begun_is_done_before_the_end(self) -> None:
        connection = self.connect()
        connection.sendall(write_order(Order(CLEAR_CACHES)) + b"\n")
        await until(lambda: self.caches.told)
        ending = self.service.stopService()
        self.assertEqual(await deferToThread(connection.recv, 1), b"")
        self.assertNoResult(ending)
        self.caches.obeyed.succeed("done")
        await ending

    async def test_what_takes_long_does_not_hold_up_the_end(self) -> None:
        connection = self.connect()
        connection.sendall(write_order(Order(CLEAR_CACHES)) + b"\n")
        await until(lambda: self.caches.told)
        ending = self.service.stopService()
        await deferToThread(connection.recv, 1)
        await until(self.clock.getDelayedCalls)
        self.clock.advance(CLOSE_SECONDS)
        await ending

    async def test_it_is_done_though_who_asked_has_gone(self) -> None:
        self.connect().sendall(write_order(Order(CLEAR_CACHES)) + b"\n")
        self.connect().close()
        await until(lambda: self.caches.told)
        self.caches.obeyed.succeed("done")

    async def test_what_fails_without_a_word_is_named_and_logged(self) -> None:
        self.caches.obeyed.fail(ZeroDivisionError())
        self.assertEqual(await self.say(Order(CLEAR_CACHES)), {"error": "it failed: ZeroDivisionError"})
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)


class TheSocket(ControlCase):
    def test_is_its_user_s_alone(self) -> None:
        self.assertEqual(stat.S_IMODE(os.stat(self.path).st_mode), 0o600)

    async def test_is_gone_with_the_service(self) -> None:
        await self.service.stopService()
        self.assertEqual(os.listdir(self.folder), [])

    async def test_of_a_dead_worker_gives_way(self) -> None:
        second = ControlService(reactor, self.folder, self.worker, self.caches)
        second.startService()
        await self.say(Order("drain"))
        self.assertEqual(self.worker.told, [("drain", None)])
        await second.stopService()
        # Each removes a socket of this name at its end.
        self.leave_a_dead_one()

    async def test_is_none_where_none_can_be(self) -> None:
        os.makedirs(os.path.join(self.folder, "elsewhere", SOCKET))
        other = ControlService(reactor, os.path.join(self.folder, "elsewhere"), self.worker, self.caches)
        other.startService()
        await other.stopService()


class InALongFolder(Calls):
    """The path of a socket has a limit, that of a state directory none."""

    name = "long" * 30


class NobodyThere(ControlCase):
    async def complaint(self) -> str:
        return str(await self.assertFailure(self.say(Order("status")), NoWorker))

    async def test_no_worker_has_the_folder(self) -> None:
        await self.service.stopService()
        self.assertIn(f"no worker runs with the state directory {self.folder}", await self.complaint())

    async def test_no_folder(self) -> None:
        self.folder += "-not"
        self.assertIn("no worker runs", await self.complaint())

    async def test_the_worker_died(self) -> None:
        await self.service.stopService()
        self.leave_a_dead_one()
        self.assertIn("no worker runs", await self.complaint())

    async def test_the_worker_ends_before_it_answers(self) -> None:
        self.patch(self.worker, "status", lambda: 1 / 0)
        self.assertIn("may just have ended", await self.complaint())
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
