"""Where the folders of caches come from: platforms, and the worker's own folder of downloads."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from twisted.internet.defer import CancelledError, Deferred

from tcworker.cache.folders import Folders
from tcworker.cache.rows import DOWNLOADS
from tcworker.interfaces import ICacheFolder, IPlatform
from tcworker.waiting import Loose, OneShot


@dataclass(frozen=True)
class Home:
    """What makes folders of one kind, finds them again, and removes those that nobody knows.

    @ivar name: of the platform, or L{DOWNLOADS}.
    """

    name: str
    new: Callable[[str], Awaitable[ICacheFolder]]
    find: Callable[[str, Mapping[str, Any]], Awaitable[ICacheFolder | None]]
    sweep: Callable[[], Awaitable[None]]

    @classmethod
    def of_platform(cls, platform: IPlatform) -> Home:
        """Those that a platform's engines can attach."""
        find, sweep = platform.find_cache_folder, platform.sweep_cache_folders
        return cls(platform.name, platform.new_cache_folder, find, sweep)

    @classmethod
    def of_downloads(cls, folders: Folders) -> Home:
        """The worker's own."""
        return cls(DOWNLOADS, folders.new, folders.find, folders.sweep)


async def new_folder(home: Home, name: str, loose: Loose) -> ICacheFolder:
    """Make one; when who waits for it is cancelled, what is made all the same is deleted."""
    # What a thread has begun cannot be cancelled: the folder may come after nobody wants it any more.
    made: OneShot[ICacheFolder] = OneShot()
    Deferred.fromCoroutine(_new(home, name)).addBoth(made.settle)
    try:
        return await made.wait()
    except CancelledError:
        loose.run(_delete(made), f"removing a folder for {name} that nobody wants any more")
        raise


async def _new(home: Home, name: str) -> ICacheFolder:
    # Whatever can be awaited will do for a home, and a Deferred is made of coroutines only.
    return await home.new(name)


async def _delete(made: OneShot[ICacheFolder]) -> None:
    await (await made.wait()).delete()
