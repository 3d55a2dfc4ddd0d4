"""All mounts of a run are made ready side by side; what their failures come to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, DeferredList
from twisted.python.failure import Failure

from tcworker.errors import TaskError
from tcworker.feature.mounts.mount import Mount
from tcworker.task.outcome import as_task_error, join


class Together:
    """Prepares and fetches some mounts, none of which waits for another one; to be run once.

    @param run: its name.
    """

    def __init__(self, mounts: Sequence[Mount], run: str) -> None:
        self._mounts = mounts
        self._name = run
        self._fetching: list[Deferred[None]] = []
        self._failed = False

    async def run(self) -> None:
        """Have all of them ready. Raises what their failures come to, each with its place, when nothing goes on.

        When one has failed nobody waits for what the others fetch. But they are prepared, which takes little, so that
        the author learns of all that cannot be had.
        """
        works = [Deferred.fromCoroutine(self._one(mount)) for mount in self._mounts]
        self._raise(await DeferredList(works, consumeErrors=True))

    async def _one(self, mount: Mount) -> None:
        try:
            await mount.prepare()
            await self._fetch(mount)
        except BaseException:
            self._give_up()
            raise

    async def _fetch(self, mount: Mount) -> None:
        if self._failed:
            raise CancelledError
        fetching = Deferred.fromCoroutine(mount.fetch())
        self._fetching.append(fetching)
        await fetching

    def _give_up(self) -> None:
        # Those that are cancelled here come here in their turn.
        if not self._failed:
            self._failed = True
            for fetching in self._fetching:
                fetching.cancel()

    def _raise(self, outcomes: Sequence[tuple[bool, Any]]) -> None:
        failures = [(mount, value) for mount, (fine, value) in zip(self._mounts, outcomes, strict=True) if not fine]
        errors = [self._located(mount, value) for mount, value in failures if not value.check(CancelledError)]
        if joined := join(errors):
            raise joined
        if failures:
            raise CancelledError

    def _located(self, mount: Mount, failure: Failure) -> TaskError:
        return mount.entry.locate(as_task_error(failure, self._name, f"mounting {mount.entry.path}"))
