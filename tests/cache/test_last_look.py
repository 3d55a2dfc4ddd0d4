"""When a worker last asked what to purge, remembered over restarts."""

from __future__ import annotations

import os

from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from tcworker.cache.last_look import StateLastLook
from tcworker.state import StateStore


class LastLooks(TestCase):
    timeout = 60

    async def open(self) -> tuple[StateStore, StateLastLook]:
        state = await StateStore.open(reactor, os.path.join(self.folder, "state"))
        return state, StateLastLook(state)

    async def test_it_is_remembered_over_restarts(self) -> None:
        self.folder = self.mktemp()
        state, last_look = await self.open()
        self.assertIsNone(await last_look.read())
        for seconds in (1.8e9, 1.8e9 + 600.25):
            await last_look.remember(seconds)
        await state.close()
        state, last_look = await self.open()
        self.assertEqual(await last_look.read(), 1.8e9 + 600.25)
        await state.close()

    async def test_what_is_none_is_not_believed(self) -> None:
        self.folder = self.mktemp()
        state, last_look = await self.open()
        await state.write("INSERT INTO moments VALUES ('purge requests', 'soon')")
        self.assertIsNone(await last_look.read())
        await state.close()
