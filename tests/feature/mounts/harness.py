"""A task with mounts, whose contents, caches and sandbox are in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from twisted.internet.defer import Deferred, fail, maybeDeferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from tcworker.cache.rows import Row
from tcworker.errors import TaskError
from tcworker.feature.mounts.entry import Entry
from tcworker.feature.mounts.feature import MountsOfRun
from tcworker.interfaces import JSON, CommandRecord, ExitStatus, ICacheFolder, IContent, Say
from tcworker.testing.caches import FakeCaches, FakeCacheWorker
from tcworker.testing.context import FakeTaskContext
from tcworker.testing.sandbox import FakeResult

CACHE = {"cacheName": "checkouts", "directory": "build"}
FOLDER = {"directory": "clang", "content": {"url": "https://example.com/clang"}, "format": "tar.zst"}
FILE = {"file": "run-task", "content": {"url": "https://example.com/run-task"}}
FILLED_CACHE = {**CACHE, "content": {"url": "https://example.com/repository"}, "format": "tar"}


@implementer(IContent)
@dataclass(frozen=True)
class Content:
    """See L{IContent}."""

    key: str
    words: str
    sha256: str | None = None
    lasting: bool = True


class FakeFiller:
    """Finds and fetches contents at once, unless told otherwise; by their addresses.

    @ivar unlasting: whether nobody can tell what is the same.
    @ivar missing: what is not to be found.
    @ivar sought: contents that take their time to be found.
    @ivar broken: what fails while it is fetched; an error that is taken out happens once.
    @ivar hold: contents that take their time, and in C{waiting} those that do now.
    @ivar fetched: what was, in order, each with its format.
    @ivar given: the contents themselves.
    """

    def __init__(self) -> None:
        self.contents = self
        self.unlasting = False
        self.missing: dict[str, TaskError] = {}
        self.sought: dict[str, Deferred[None]] = {}
        self.broken: dict[str, list[TaskError]] = {}
        self.hold: set[str] = set()
        self.waiting: dict[str, Deferred[None]] = {}
        self.resolved: list[str] = []
        self.given: list[IContent] = []
        self.fetched: list[tuple[str, str | None]] = []
        self.cancelled: list[str] = []

    def resolve(self, content: Mapping[str, Any], say: Say, pinned: bool = True) -> Deferred[IContent]:
        url = content["url"].rpartition("/")[2]
        self.resolved.append(url)
        return self.sought.get(url, succeed(None)).addCallback(lambda _: self._found(url, pinned))

    def _found(self, url: str, pinned: bool) -> IContent:
        if url in self.missing:
            raise self.missing[url]
        content: IContent = Content(url, url, None, pinned and not self.unlasting)
        return content

    def unpinned(self, content: Content) -> Content:
        return replace(content, lasting=False)

    async def extract(self, content: IContent, form: str, folder: ICacheFolder, say: Say) -> JSON:
        return await self.fetch(content, form, folder, say)

    async def fetch(self, content: IContent, form: str | None, folder: ICacheFolder, say: Say) -> JSON:
        key: str = content.key
        say(f"downloading {content.words}")
        if key in self.hold:
            self.waiting[key] = Deferred(lambda _: self.cancelled.append(key))
            await self.waiting[key]
        if errors := self.broken.get(key):
            raise errors.pop(0)
        self.fetched.append((key, form))
        self.given.append(content)
        folder.path = f"/caches/{key}"
        return {"sha256": "abc"}


class Engine:
    """Notes what is attached.

    @ivar attached: in order, as the calls say it.
    @ivar too_large: by the names of caches, who is to be told so.
    @ivar refused: errors by target.
    """

    def __init__(self) -> None:
        self.attached: list[tuple[Any, ...]] = []
        self.too_large: dict[str, Callable[[], None]] = {}
        self.refused: dict[str, TaskError] = {}

    def attach_cache(
        self, folder: ICacheFolder, target: str, label: str, too_large: Callable[[], None]
    ) -> Deferred[None]:
        self.too_large[folder.name] = too_large
        return self._attach("cache", folder.name, target, label)

    def attach_tree(self, folder: ICacheFolder, target: str, label: str, read_only: bool) -> Deferred[None]:
        return self._attach("tree", folder.path, target, label, read_only)

    def attach_file(self, path: str, target: str, label: str) -> Deferred[None]:
        return self._attach("file", path, target, label)

    def _attach(self, kind: str, what: str | None, target: str, *more: Any) -> Deferred[None]:
        if target in self.refused:
            return fail(self.refused[target])
        self.attached.append((kind, what, target, *more))
        return succeed(None)


class Result(FakeResult):
    """A task that has ended.

    @ivar detached: the names of caches that were taken back, in order.
    @ivar lost: errors by the names of others.
    """

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self.detached: list[str] = []
        self.lost: dict[str, TaskError] = {}

    def detach_cache(self, folder: ICacheFolder) -> Deferred[None]:
        return maybeDeferred(self._detach, folder.name)

    def _detach(self, name: str) -> None:
        if name in self.lost:
            raise self.lost[name]
        self.detached.append(name)


class MountsCase(SynchronousTestCase):
    """One worker, and a run on it after the other."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.worker = FakeCacheWorker(self.clock, capacity=2)
        self.filler = FakeFiller()
        self.engine: Any = Engine()
        self.context = self.new_context()

    def new_context(self, name: str = "a/0") -> FakeTaskContext:
        context = FakeTaskContext(self.clock, task={"scopes": ["generic-worker:cache:*"]})
        context.caches = self.caches = FakeCaches(self.worker, name)
        self.addCleanup(context.close)
        return context

    def mounts(self, *mounts: Mapping[str, Any], strict: bool = False, **payload: Any) -> MountsOfRun:
        """A run of a task with these."""
        self.context.payload = {"mounts": mounts, **payload}
        entries = [Entry.from_json(index, mount) for index, mount in enumerate(mounts)]
        return MountsOfRun(self.context, entries, self.filler, strict)  # type: ignore[arg-type]  # a fake

    def next_mounts(self, *mounts: Mapping[str, Any], **more: Any) -> MountsOfRun:
        """The same of another task."""
        self.context, self.engine = self.new_context("b/0"), Engine()
        return self.mounts(*mounts, **more)

    def load(self, *mounts: Mapping[str, Any], **payload: Any) -> MountsOfRun:
        """Load a run that has nothing to wait for."""
        run = self.mounts(*mounts, **payload)
        self.successResultOf(run.load(self.engine))
        return run

    def start(self, *mounts: Mapping[str, Any], **payload: Any) -> MountsOfRun:
        run = self.load(*mounts, **payload)
        self.successResultOf(run.started(None))  # type: ignore[arg-type]  # nobody looks at it
        return run

    def end(self, run: MountsOfRun, result: Result | None = None, upload: bool = True) -> Result:
        """Go through the rest of a run that has a result."""
        result = result or Result()
        self.successResultOf(run.stopped(result))
        if upload:
            self.successResultOf(run.upload(result))
        self.successResultOf(run.cleanup())
        return result

    def failed(self, hook: Deferred[None], kind: type[TaskError]) -> tuple[str, ...]:
        """The messages of an error that a hook fails with."""
        messages: tuple[str, ...] = self.failureResultOf(hook, kind).value.messages
        return messages

    def rows(self) -> Sequence[Row]:
        return self.successResultOf(self.worker.store.rows())

    @property
    def kept(self) -> list[str]:
        """The names of caches and keys that nobody has in use."""
        return sorted(row.name for row in self.rows() if row.idle)

    @property
    def in_use(self) -> list[str]:
        return sorted(row.name for row in self.rows() if not row.idle)

    @property
    def log(self) -> str:
        return self.context.log.text


def exited(status: int) -> Sequence[CommandRecord]:
    """The commands of a task whose last one exited so."""
    return [CommandRecord(["true"], ExitStatus(0)), CommandRecord(["sh"], ExitStatus(status))]
