"""What a platform does not have, it refuses in a way that tells the task's author."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.web.resource import Resource
from zope.interface import implementer

from tcworker.errors import FeatureNotSupported
from tcworker.interfaces import ICacheFolder, Service
from tcworker.testing.engines.harness import CACHES, PROXIES, SERVICES, EngineHarness


@implementer(ICacheFolder)
class NoFolder:
    """A cache folder that no platform has made."""

    name = "cache"
    path = None
    size = 0
    owner = None
    details: Mapping[str, Any] = {}  # nobody changes it

    def is_there(self) -> Deferred[bool]:
        """See L{ICacheFolder.is_there}."""
        return succeed(False)

    def measure(self) -> Deferred[int]:
        """Nothing is in it."""
        return succeed(0)

    async def archive(self) -> AsyncIterator[bytes]:
        """Nothing is in it."""
        yield b""

    def delete(self) -> Deferred[None]:
        """There is nothing to delete."""
        return succeed(None)


class RefusalCases(EngineHarness):
    """A sandbox that refuses something can still be started or discarded."""

    async def test_caches_that_are_not_offered(self) -> None:
        """Neither made nor attached."""
        self.refuses(CACHES)
        engine = self.new_engine(self.payloads.prints("x"))
        await self.fails(engine.attach_cache(NoFolder(), "cache", "mounts[0]"), FeatureNotSupported)
        await self.fails(engine.attach_tree(NoFolder(), "tree", "mounts[1]", False), FeatureNotSupported)
        await self.fails(engine.attach_file("/etc/passwd", "file", "mounts[2]"), FeatureNotSupported)
        await self.fails(self.platform.new_cache_folder("cache"), FeatureNotSupported)
        await engine.discard()

    async def test_proxies_that_are_not_offered(self) -> None:
        """Whatever they would serve."""
        self.refuses(PROXIES)
        engine = self.new_engine(self.payloads.prints("x"))
        await self.fails(engine.attach_proxy("proxy", Resource()), FeatureNotSupported)
        await engine.discard()

    async def test_services_that_are_not_offered(self) -> None:
        """Whatever they would run."""
        self.refuses(SERVICES)
        engine = self.new_engine(self.payloads.prints("x"))
        await self.fails(engine.attach_service(Service("db", "postgres")), FeatureNotSupported)
        execution = await engine.start()
        result = await execution.when_finished()
        self.assertTrue(result.success)
        await result.dispose()
