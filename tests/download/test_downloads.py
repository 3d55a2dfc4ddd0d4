"""The ways to servers that a worker opens by its settings, and closes."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from tcworker.client.http import HTTP
from tcworker.config import Config
from tcworker.download.address import Address
from tcworker.download.arriving import Arriving
from tcworker.download.downloads import OpenDownloads
from tcworker.download.passing import Hopeless, Passing
from tcworker.interfaces import Credentials
from tcworker.testing.engines import traces
from tests.download.case import DATA, reactor
from tests.integration.bad_server import BadServer, hang
from tests.surroundings import until


class BySettings(TestCase):
    timeout = 60
    denied: tuple[str, ...] = ("127.0.0.0/8",)

    def setUp(self) -> None:
        self.server = BadServer.started(self)
        self.threads = traces.threads()
        own = HTTP(reactor)
        self.addCleanup(own.close)
        credentials = Credentials("worker", "secret")
        config = Config("https://x", credentials, "t", "w", mounts_retry_secs=7.0, mounts_deny_networks=self.denied)
        self.downloads = OpenDownloads.open(reactor, own, config, {})

    async def ask(self, trusted: bool) -> Arriving:
        """Ask for what begins, and does not end."""
        address = Address(self.server.serve("/a", hang(DATA[:1000], len(DATA))), trusted)
        return await self.downloads.servers.ask("GET", address, {}, lambda: 60.0)


class WhereNobodyMayGo(BySettings):
    async def tearDown(self) -> None:  # type: ignore[override]  # trial waits for it
        await self.downloads.close()

    def test_so_long_it_is_tried(self) -> None:
        self.assertEqual(self.downloads.seconds, 7)

    async def test_what_a_task_names_is_kept_out(self) -> None:
        error = await self.assertFailure(Deferred.fromCoroutine(self.ask(trusted=False)), Hopeless)
        self.assertIn("mounts.denyNetworks", str(error))
        self.assertEqual(self.server.asked, [])

    async def test_where_taskcluster_leads_is_not(self) -> None:
        arriving = await self.ask(trusted=True)
        self.assertEqual(await arriving.next(), DATA[:1000])
        await arriving.close()


class Closing(BySettings):
    denied = ()

    async def test_nothing_is_left_of_a_download(self) -> None:
        arriving = await self.ask(trusted=False)
        await arriving.next()
        waiting = Deferred.fromCoroutine(arriving.next())
        await self.downloads.close()
        await self.assertFailure(waiting, Passing)
        await until(lambda: not self.server.open)
        self.assertEqual(traces.threads(), self.threads)
