"""A worker that must go at any moment of its uploads: each artifact is there, or something says why it is not."""

from __future__ import annotations

import random
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tcworker.feature.artifacts.feature import ArtifactsFeature
from tcworker.interfaces import Artifact, ErrorArtifact, IArchivedFile
from tcworker.task import speed
from tcworker.testing.context import FakeTaskContext
from tcworker.testing.files import Fifo, File, Files
from tcworker.testing.sandbox import FakeResult
from tcworker.waiting import pause
from tests.feature.harness import CONFIG

BYTES_PER_SECOND = 100.0


class SlowContext(FakeTaskContext):
    """A context that takes as long for each file as its size says, and gives up what would come too late.

    @ivar in_hand: how many are being published.
    """

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.sandbox_clock = clock
        self.in_hand = self.most_in_hand = 0

    def publish(self, artifact: Artifact) -> Deferred[None]:
        return Deferred.fromCoroutine(self._slowly(artifact))

    async def _slowly(self, artifact: Artifact) -> None:
        if isinstance(artifact, ErrorArtifact):
            return await super().publish(artifact)
        self.haste.check(artifact.file.size)  # type: ignore[union-attr]  # there are only files
        self.in_hand += 1
        self.most_in_hand = max(self.in_hand, self.most_in_hand)
        try:
            await self._send(artifact.file)  # type: ignore[union-attr]  # the same
        finally:
            self.in_hand -= 1
        await super().publish(artifact)

    async def _send(self, file: IArchivedFile) -> None:
        left = file.size
        while left > 0:
            await pause(self.sandbox_clock, 0.1)
            left -= int(BYTES_PER_SECOND / 10)
            if why := self.haste.judge_rest(max(0, left)):
                raise why


class AnyMoment(SynchronousTestCase):
    """Seeds decide what there is, and when what happens."""

    def upload(self, source: random.Random, clock: Clock, context: FakeTaskContext) -> Deferred[None]:
        """Begin to publish a folder of files of 1 to 10,000 bytes, some of which are none, and what is not there."""
        files = Files()
        for number in range(source.randrange(1, 40)):
            odd = source.random() < 0.1
            files.make(f"out/{number}", Fifo() if odd else File(bytes(int(10 ** source.uniform(0, 4)))))
        self.expected = sorted(["nowhere", "gone", *(f"out/{name}" for name in files.find("out").entries)])  # type: ignore[union-attr]  # it is a folder
        folder = {"type": "directory", "path": "out", "optional": source.random() < 0.2}
        context.payload = {
            "artifacts": [folder, {"type": "directory", "path": "nowhere"}, {"type": "file", "path": "gone"}]
        }
        feature = ArtifactsFeature(clock, CONFIG).for_task(context)
        assert feature is not None
        return feature.upload(FakeResult(files=files))

    def one(self, seed: int) -> None:
        source, clock = random.Random(seed), Clock()
        context = SlowContext(clock)
        self.addCleanup(context.close)
        ended: list[Any] = []
        self.upload(source, clock, context).addBoth(ended.append)
        clock.pump([0.1] * source.randrange(200))
        seconds, then = source.randrange(1, 20), source.random()
        context.haste.begin(seconds)
        clock.pump([0.1] * int(10 * seconds * then))
        if source.random() < 0.5:
            context.haste.report_first()
        clock.pump([0.1] * int(10 * seconds * (1 - then) + 2))
        self.assertEqual(len(ended), 1, f"seed {seed}: it goes on")
        self.assertEqual(sorted(artifact.name for artifact in context.published), self.expected, f"seed {seed}")
        self.assertLessEqual(context.most_in_hand, 20, f"seed {seed}")
        self.assertEqual(clock.getDelayedCalls(), [], f"seed {seed}")

    def test_each_artifact_is_accounted_for_once(self) -> None:
        self.patch(speed, "ASSUMED", BYTES_PER_SECOND)
        for seed in range(150):
            self.one(seed)
