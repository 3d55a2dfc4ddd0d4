"""Which tasks have mounts, and what of their mounts cannot be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tcworker.config import Config
from tcworker.errors import MalformedPayload
from tcworker.feature.artifacts.feature import ArtifactsFeature
from tcworker.feature.mounts import feature
from tcworker.feature.mounts.feature import MountsFeature
from tcworker.feature.registry import FeatureSet
from tcworker.task.payload import PayloadSchema
from tcworker.testing.context import TASK_ID, FakeTaskContext
from tests.feature.harness import CONFIG

RAW = {"raw": "text"}
ARTIFACT = {"taskId": TASK_ID, "artifact": "public/x"}


class Judging(SynchronousTestCase):
    def judge(self, *mounts: Mapping[str, Any], config: Config = CONFIG, **task: Any) -> Any:
        PayloadSchema({"mounts": MountsFeature.schema}).check({"mounts": list(mounts)})
        context = FakeTaskContext(Clock(), {"mounts": mounts}, task=task)
        self.addCleanup(context.close)
        return MountsFeature(Clock(), config).for_task(context)  # type: ignore[arg-type]  # it starts nothing yet

    def refused(self, *mounts: Mapping[str, Any], **task: Any) -> tuple[str, ...]:
        messages: tuple[str, ...] = self.assertRaises(MalformedPayload, self.judge, *mounts, **task).messages
        return messages

    def test_a_task_that_lists_none_has_nothing_to_do_with_it(self) -> None:
        for config in (CONFIG, replace(CONFIG, enable_mounts=False)):
            self.assertIsNone(self.judge(config=config))

    def test_a_pool_that_has_them_switched_off(self) -> None:
        (message,) = self.refused({"file": "a", "content": RAW}, config=replace(CONFIG, enable_mounts=False))
        self.assertIn("payload.mounts: workers of test-provisioner/t have switched this off", message)
        self.assertIn("enableMounts: false", message)

    def test_as_much_is_extracted_as_the_operator_allows(self) -> None:
        allowed: list[int] = []
        self.patch(feature, "Extractors", lambda reactor, limits: allowed.append(limits.megabytes))
        MountsFeature(Clock(), replace(CONFIG, mounts_max_extracted_megabytes=7))  # type: ignore[arg-type]  # it starts nothing
        self.assertEqual(allowed, [7])

    def test_an_artifact_of_a_task_that_is_not_waited_for(self) -> None:
        mounts = {"file": "a", "content": RAW}, {"file": "b", "content": ARTIFACT}
        (message,) = self.refused(*mounts)
        where = "payload.mounts[1].content.taskId: "
        self.assertEqual(
            message,
            f"{where}task.dependencies needs to include {TASK_ID}, since one or more of its artifacts are mounted",
        )
        self.judge(*mounts, dependencies=[TASK_ID])

    def test_what_cannot_be_in_one_place(self) -> None:
        """Known before anything is fetched."""
        cache, folder = {"cacheName": "c", "directory": "a"}, {"directory": "a/b", "content": RAW, "format": "tar"}
        for bad, where in (
            ({"file": "a", "content": RAW}, "a is a cache already"),
            ({**cache, "cacheName": "d"}, "a cannot be a cache, which would hide"),
            ({"file": "../a", "content": RAW}, "leads out of the task's folder"),
            ({"cacheName": "d", "directory": "."}, "a cache cannot be the task's folder itself"),
        ):
            (message,) = self.refused(cache, bad)
            self.assertIn("payload.mounts[1]: ", message)
            self.assertIn(where, message)
        self.judge(cache, folder)

    def test_where_folders_cannot_be_changed_nothing_lies_in_them(self) -> None:
        folder = {"directory": "a", "content": RAW, "format": "tar"}
        inner = {"file": "a/b", "content": RAW}
        self.judge(folder, inner)
        (message,) = self.refused(folder, inner, config=replace(CONFIG, mounts_strict_read_only=True))
        self.assertIn("cannot go together", message)

    def test_that_holds_for_the_content_of_a_cache_as_well(self) -> None:
        cache = {"directory": "a", "cacheName": "c", "content": ARTIFACT, "format": "tar"}
        self.assertEqual(len(self.refused(cache)), 1)

    def test_an_indexed_task_is_waited_for_by_nobody(self) -> None:
        self.judge({"file": "a", "content": {"namespace": "a.b", "artifact": "public/x"}})

    def test_formats_that_nobody_reads(self) -> None:
        folder = {"directory": "a", "content": RAW, "format": "rar"}
        messages = self.refused(folder, {"file": "b", "content": RAW, "format": "mz"})
        self.assertTrue(messages[0].startswith("payload.mounts[0].format: this worker cannot read the format rar"))
        self.assertTrue(messages[1].startswith("payload.mounts[1].format: this worker cannot read the format mz"))

    def test_paths_that_cannot_be(self) -> None:
        messages = self.refused({"file": "a\0b", "content": RAW}, {"directory": "\ud800", "cacheName": "c"})
        self.assertEqual(
            [message.partition(": ")[0] for message in messages],
            ["payload.mounts[0].file", "payload.mounts[1].directory"],
        )

    def test_files_that_can_only_be_folders(self) -> None:
        for path in (".", "..", "a/", "/", "a/.", "a/.."):
            (message,) = self.refused({"file": path, "content": RAW})
            self.assertIn("which can only be a folder", message)

    def test_all_at_once(self) -> None:
        rar = {"directory": "a", "content": ARTIFACT, "format": "rar"}
        self.assertEqual(len(self.refused(rar, {"file": ".", "content": ARTIFACT})), 4)


class Order(SynchronousTestCase):
    """Caches are given back when artifacts in them are published."""

    def test_after_artifacts(self) -> None:
        features = [MountsFeature(Clock(), CONFIG), ArtifactsFeature(Clock(), CONFIG)]  # type: ignore[arg-type]
        FeatureSet(features)
        self.assertEqual(features[0].after, ("artifacts",))

    def test_on_a_worker_without_artifacts(self) -> None:
        config = replace(CONFIG, features=("mounts",))
        FeatureSet([MountsFeature(Clock(), config)])  # type: ignore[arg-type]  # it starts nothing yet
