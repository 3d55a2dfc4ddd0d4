"""Processes of the worker's own, and sockets to them."""

from __future__ import annotations

import os
import socket
import sys

from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from tcworker.interfaces import ExitStatus
from tcworker.launcher.wire import Port
from tcworker.process import LONGEST_LINE, Channel, spawn
from tests.surroundings import until


class SpawnTests(TestCase):
    """A small program."""

    timeout = 30

    def spawn(self, script: str, env=(), descriptors=()):
        self.said: list[str] = []
        argv = [sys.executable, "-I", "-S", "-c", script]
        child = spawn(reactor, argv, dict(env), dict(descriptors), self.said.append)
        self.addCleanup(child.kill)
        return child

    async def test_how_it_ends(self):
        self.assertEqual(await self.spawn("raise SystemExit(3)").when_ended(), ExitStatus(3))
        self.assertEqual(await self.spawn("import os; os.kill(os.getpid(), 9)").when_ended(), ExitStatus(None, 9))

    async def test_what_it_says_line_by_line(self):
        child = self.spawn("import sys; print('lost'); print('one\\ntwo', file=sys.stderr)")
        await child.when_ended()
        self.assertEqual(self.said, ["one", "two"])

    async def test_a_line_without_an_end_is_cut(self):
        said: list[str] = []
        child = spawn(
            reactor, ["/bin/sh", "-c", "head -c 300000 /dev/zero >&2; echo >&2; echo end >&2"], {}, {}, said.append
        )
        await child.when_ended()
        self.assertEqual((len(said[0]), said[1:]), (LONGEST_LINE, ["end"]))

    async def test_it_has_the_variables_and_descriptors_that_it_was_given(self):
        reading, writing = os.pipe()
        script = "import os, sys; os.write(3, repr(sorted(os.environ)).encode())"
        child = self.spawn(script, {"GIVEN": "x"}, {3: writing})
        os.close(writing)
        await child.when_ended()
        self.assertIn(b"'GIVEN'", os.read(reading, 1000))
        os.close(reading)

    async def test_killing(self):
        child = self.spawn("import time; time.sleep(1000)")
        self.assertGreater(child.pid, 0)
        child.kill()
        self.assertEqual(await child.when_ended(), ExitStatus(None, 9))
        child.kill()

    def test_a_program_that_is_not_there(self):
        self.assertRaises(OSError, spawn, reactor, ["/no/such/program"], {}, {}, print)


class ChannelTests(TestCase):
    """One end on the reactor, the other blocking."""

    timeout = 30

    def setUp(self):
        ours, theirs = socket.socketpair()
        self.received: list[tuple[object, list[int]]] = []
        self.lost = 0
        self.channel = Channel(reactor, ours, self.receive, self.lose)
        self.port = Port(theirs)
        self.addCleanup(self.port.close)
        self.addCleanup(self.channel.close)

    def receive(self, message, descriptors):
        self.received.append((message, descriptors))

    def lose(self):
        self.lost += 1

    async def test_messages_in_order(self):
        for number in range(100):
            self.port.send({"number": number})
        await until(lambda: len(self.received) == 100)
        self.assertEqual([message["number"] for message, _ in self.received], list(range(100)))

    async def test_descriptors_both_ways(self):
        reading, writing = os.pipe()
        self.channel.send({}, [writing])
        [(_, [through])] = self.port.receive()
        self.port.send({}, [through])
        os.close(through)
        await until(lambda: self.received)
        [back] = self.received[0][1]
        os.write(back, b"round")
        os.close(back)
        self.assertEqual(os.read(reading, 10), b"round")
        os.close(reading)

    async def test_more_than_fits_at_once(self):
        large = "x" * 3_000_000
        for number in range(3):
            self.channel.send({"number": number, "large": large})
        found: list[int] = []

        def more() -> bool:
            found.extend(message["number"] for message, _ in self.port.receive())
            return len(found) == 3

        await until(more)
        self.assertEqual(found, [0, 1, 2])

    async def test_the_other_end_goes(self):
        self.port.send({"last": "words"})
        self.port.close()
        await until(lambda: self.lost)
        self.assertEqual(self.received, [({"last": "words"}, [])])

    def test_closing_is_told_once(self):
        self.channel.close()
        self.channel.close()
        self.assertEqual(self.lost, 1)
        self.assertIsNone(self.port.receive())

    def test_what_is_sent_after_the_end_is_closed(self):
        self.channel.close()
        reading, writing = os.pipe()
        self.channel.send({}, [writing])
        self.assertEqual(os.read(reading, 1), b"")
        os.close(reading)

    async def test_whoever_closes_while_receiving_gets_no_more(self):
        self.channel.close()
        ours, theirs = socket.socketpair()
        got: list[object] = []

        def receive(message, descriptors):
            got.append(message)
            channel.close()

        channel = Channel(reactor, ours, receive, self.lose)
        port = Port(theirs)
        port.send({"number": 1})
        port.send({"number": 2})
        await until(lambda: self.lost == 2)
        self.assertEqual(got, [{"number": 1}])
        port.close()
