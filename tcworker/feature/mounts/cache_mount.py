"""A folder that a task may change, and that the next one finds so."""

from __future__ import annotations

from twisted.internet.defer import Deferred

from tcworker.errors import Cause, TaskError
from tcworker.feature.mounts.entry import Entry
from tcworker.feature.mounts.mount import Means, Mount
from tcworker.interfaces import IContent, IEngine, IHeldCache, IResult
from tcworker.task.with_room import with_room

_TOO_LARGE = "it has become too large for the disk of tasks, which it must be copied to"


class CacheMount(Mount):
    """A writable cache in the hands of one run.

    @ivar name: of the cache.
    """

    def __init__(self, entry: Entry, means: Means) -> None:
        super().__init__(entry, means)
        assert entry.cache_name is not None
        self.name = entry.cache_name
        self._content: IContent | None = None
        self._held: IHeldCache | None = None
        self._whole = True
        self._too_large = False

    @property
    def held(self) -> bool:
        """Whether the run still has it."""
        return self._held is not None

    async def prepare(self) -> None:
        """See L{Mount.prepare}. One that is there stays as it is, whatever its content is said to be."""
        caches = self._means.caches
        self._held = await with_room(caches.make_room, lambda: caches.exclusive(self.name))
        self._whole = not self._held.fresh or self.entry.content is None
        if not self._whole:
            # Whatever state it is in when it comes: nobody finds the cache by that.
            self._content = await self.resolve(pinned=False)

    async def fetch(self) -> None:
        """See L{Mount.fetch}."""
        assert self._held is not None
        if not self._whole:
            await with_room(self._means.caches.make_room, self._fill)
        self.say(f"cache {self.name} is {'new' if self._held.fresh else 'as an earlier task left it'}")

    def attach(self, engine: IEngine) -> Deferred[None]:
        """See L{Mount.attach}."""
        assert self._held is not None
        return engine.attach_cache(self._held.folder, self.entry.path, self.entry.place, self._note_too_large)

    async def release(self) -> None:
        """See L{Mount.release}: it is whole, and where it was; or nobody has a use for it."""
        if not self._whole:
            await self.drop("its content is not all there")
        if self._too_large:
            await self.drop(_TOO_LARGE)
        held, self._held = self._held, None
        if held is not None:
            await held.give_back()

    async def drop(self, why: str) -> None:
        """Nobody is to have it any more; repeatable.

        @param why: for the worker's log.
        """
        held, self._held = self._held, None
        if held is not None:
            await held.drop(why)

    async def take_back(self, result: IResult) -> None:
        """Let the next run have it as the task left it. Raises a L{TaskError}; it is dropped then."""
        if self._held is None:
            return
        try:
            await result.detach_cache(self._held.folder)
        except TaskError as error:
            await self.drop(str(error))
            raise self._lost(error) from error
        await self.release()

    def _note_too_large(self) -> None:
        # The next one would meet the same, and so on.
        self._too_large = True
        self.say(f"cache {self.name} is thrown away, and the next task begins with a new one: {_TOO_LARGE}")

    def _lost(self, error: TaskError) -> TaskError:
        located = self.entry.locate(error)
        # A full disk and the task's own doing are known as such.
        if located.cause is Cause.RESOURCE_UNAVAILABLE:
            located.cause, located.evidence = Cause.CACHE, {"cache": self.name}
        return located

    async def _fill(self) -> None:
        content, form, caches = self._content, self.entry.format, self._means.caches
        assert content is not None and form is not None
        if self._held is None:
            self._held = await caches.exclusive(self.name)
        if self._held.fresh:
            try:
                await self._means.filler.extract(content, form, self._held.folder, self.say)
            except BaseException:
                # At once: its bytes may be what lacks.
                await self.drop("its content could not be had")
                raise
        self._whole = True
