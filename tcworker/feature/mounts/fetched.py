"""Files and folders that many tasks share and none of them changes."""

from __future__ import annotations

import os

from twisted.internet.defer import Deferred

from tcworker.errors import ContentChanged
from tcworker.feature.mounts.filling import CONTENT
from tcworker.feature.mounts.mount import Mount
from tcworker.interfaces import ICacheFolder, IContent, IEngine, IHeldCache
from tcworker.task.with_room import with_room


class FetchedMount(Mount):
    """Something that is fetched unless it is there already."""

    _content: IContent | None = None
    _held: IHeldCache | None = None

    async def prepare(self) -> None:
        """See L{Mount.prepare}."""
        self._content = await self.resolve()

    async def fetch(self) -> None:
        """See L{Mount.fetch}."""
        self._held = await with_room(self._means.caches.make_room, self._have_now)
        assert self._content is not None
        if not self._held.fresh:
            self.say(f"{self._content.words} was here already")

    async def release(self) -> None:
        """See L{Mount.release}."""
        if self._held is None:
            return
        assert self._content is not None
        if self._content.lasting:
            await self._held.give_back()
        else:
            await self._held.drop("nobody can tell whether it is still the same")

    async def _have_now(self) -> IHeldCache:
        assert self._content is not None
        try:
            return await self._have(self._content)
        except ContentChanged as error:
            self.say(f"{self._content.words}: {error}; that is taken, and not kept for others")
            self._content = self._means.filler.contents.unpinned(self._content)
            return await self._have(self._content)

    def _have(self, content: IContent) -> Deferred[IHeldCache]:
        """Get it from the caches, which have it made if it is not there. Others may wait for that as well.

        So nothing of this run goes into it but the right to fetch it.
        """
        raise NotImplementedError

    @property
    def _folder(self) -> ICacheFolder:
        assert self._held is not None
        return self._held.folder


class FolderMount(FetchedMount):
    """A folder with what is in an archive."""

    def attach(self, engine: IEngine) -> Deferred[None]:
        """See L{Mount.attach}."""
        return engine.attach_tree(self._folder, self.entry.path, self.entry.place, self._means.strict)

    def _have(self, content: IContent) -> Deferred[IHeldCache]:
        form, filler = self.entry.format, self._means.filler
        assert form is not None
        return self._means.caches.shared(
            f"{form} {content.key}",
            lambda folder, say: Deferred.fromCoroutine(filler.extract(content, form, folder, say)),
            self.say,
        )


class FileMount(FetchedMount):
    """A file, decompressed if it has a format."""

    def attach(self, engine: IEngine) -> Deferred[None]:
        """See L{Mount.attach}."""
        path: str | None = self._folder.path
        assert path is not None, "what is downloaded is in a folder of the worker's own"
        return engine.attach_file(os.path.join(path, CONTENT), self.entry.path, self.entry.place)

    def _have(self, content: IContent) -> Deferred[IHeldCache]:
        form, filler = self.entry.format, self._means.filler
        return self._means.caches.downloaded(
            f"{form or 'file'} {content.key}",
            lambda folder, say: Deferred.fromCoroutine(filler.fetch(content, form, folder, say)),
            self.say,
        )
