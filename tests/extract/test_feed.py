"""A pipe that takes no more than it has room for."""

from __future__ import annotations

import os

from twisted.internet import reactor
from twisted.internet.defer import CancelledError
from twisted.trial.unittest import TestCase

from tcworker.extract.feed import Feed, Unread
from tests.surroundings import until


class Feeds(TestCase):
    timeout = 60

    def setUp(self) -> None:
        self.feed = Feed(reactor)
        self.addCleanup(self.feed.close)
        self.reading: int | None = self.feed.reading_end
        self.addCleanup(self.stop_reading)
        self.got = b""

    def stop_reading(self) -> None:
        if self.reading is not None:
            os.close(self.reading)
            self.reading = None

    def read(self) -> int:
        assert self.reading is not None
        self.got += os.read(self.reading, 1 << 20)
        return len(self.got)

    async def test_what_fits_is_sent_at_once(self) -> None:
        self.successResultOf(self.feed.send(b"some"))
        self.successResultOf(self.feed.send(b""))
        self.successResultOf(self.feed.send(b" bytes"))
        self.read()
        self.assertEqual(self.got, b"some bytes")

    async def test_the_rest_when_there_is_room(self) -> None:
        data = os.urandom(5 << 20)
        sending = self.feed.send(data)
        self.assertNoResult(sending)
        await until(lambda: self.read() == len(data))
        await sending
        self.assertEqual(self.got, data)

    async def test_after_its_end_the_reader_finds_one(self) -> None:
        self.feed.send(b"all")
        self.feed.close()
        self.feed.close()
        self.assertEqual(self.read(), 3)
        self.assertEqual(self.read(), 3)

    async def test_without_a_reader_nothing_can_be_sent(self) -> None:
        self.stop_reading()
        self.failureResultOf(self.feed.send(b"x"), Unread)

    async def test_who_waits_is_told_when_the_reader_goes(self) -> None:
        sending = self.feed.send(bytes(5 << 20))
        self.stop_reading()
        await self.assertFailure(sending, Unread)

    async def test_who_waits_is_told_when_it_is_closed(self) -> None:
        sending = self.feed.send(bytes(5 << 20))
        self.feed.close()
        self.failureResultOf(sending, Unread)

    async def test_cancelled_nothing_more_is_sent(self) -> None:
        sending = self.feed.send(bytes(5 << 20))
        sending.cancel()
        self.failureResultOf(sending, CancelledError)
        self.read()
        self.assertNotIn(self.feed, reactor.getWriters())
