"""Powering the machine off, with commands that do not."""

from __future__ import annotations

from typing import Any

from twisted.internet import reactor
from twisted.logger import LogLevel, formatEvent, globalLogPublisher
from twisted.trial.unittest import TestCase

from tcworker.power import power_off


class WhatIsSaid(TestCase):
    timeout = 60

    async def errors_of(self, *command: str) -> list[str]:
        events: list[dict[str, Any]] = []
        globalLogPublisher.addObserver(events.append)
        self.addCleanup(globalLogPublisher.removeObserver, events.append)
        await power_off(reactor, command)
        return [formatEvent(event) for event in events if event["log_level"] >= LogLevel.error]

    async def test_nothing_when_the_system_does_it(self) -> None:
        self.assertEqual(await self.errors_of("true"), [])

    async def test_what_the_system_says_when_it_does_not(self) -> None:
        (error,) = await self.errors_of("sh", "-c", "echo must be root >&2; exit 1")
        self.assertRegex(error, "the machine may stay on: /.*/sh: must be root")

    async def test_how_it_ended_when_it_says_nothing(self) -> None:
        (error,) = await self.errors_of("false")
        self.assertIn("status=1", error)

    async def test_that_there_is_no_such_command(self) -> None:
        (error,) = await self.errors_of("no-such-shutdown")
        self.assertIn("the machine stays on: there is no no-such-shutdown", error)
