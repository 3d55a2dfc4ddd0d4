"""Payloads such as those of Firefox's tasks, and what this worker says to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tcworker.assemble import make_parts
from tcworker.config import Config, lay_over, so_far
from tcworker.errors import MalformedPayload
from tcworker.feature.registry import FeatureSet
from tcworker.task.acceptance import Acceptance
from tcworker.testing.context import FakeTaskContext
from tcworker.testing.facilities import NoThreads
from tests.feature.harness import result_of

IMAGE_TASK = "dSlITZ4yQgmvxxAi4A8fHQ"

BUILD: Mapping[str, Any] = {
    "command": [
        ["chmod", "+x", "run-task"],
        ["./run-task", "--gecko-checkout=checkouts/gecko", "--", "bash", "-cx", "$GECKO_PATH/build-linux.sh"],
    ],
    "maxRunTime": 10800,
    "env": {
        "GECKO_BASE_REV": "",
        "MOZ_SCM_LEVEL": "3",
        "PERFHERDER_EXTRA_OPTIONS": "aarch64",
        "TASKCLUSTER_CACHES": "c",
    },
    "artifacts": [
        {"type": "directory", "path": "public/build", "name": "public/build", "expires": "2030-01-31T12:00:00.000Z"},
        {"type": "file", "path": "logs/cargo-timing.html", "name": "public/cargo.html", "optional": True},
    ],
    "features": {"resourceMonitor": True, "liveLog": True, "backingLog": True},
    "onExitStatus": {"retry": [4], "purgeCaches": [72]},
    "osGroups": [],
}
"""Of a build."""

MOUNTS: Sequence[Mapping[str, Any]] = [
    {"cacheName": "gecko-level-3-checkouts-sparse-v3", "directory": "checkouts"},
    {"file": "run-task", "content": {"url": "https://hg.example.com/run-task?rev=1", "sha256": "0123456789abcdef" * 4}},
    {
        "directory": "fetches/clang",
        "content": {"taskId": IMAGE_TASK, "artifact": "public/clang.tar.zst"},
        "format": "tar.zst",
    },
    {"file": "fetches/node", "content": {"namespace": "gecko.cache.node", "artifact": "public/node"}, "format": "xz"},
]

DOCKER: Mapping[str, Any] = {
    "image": {"type": "task-image", "taskId": IMAGE_TASK, "path": "public/image.tar.zst"},
    "command": ["/builds/worker/bin/run-task", "--", "bash", "-cx", "./mach taskgraph decision"],
    "cache": {"gecko-level-3-checkouts": "/builds/worker/checkouts"},
    "artifacts": {
        "public": {"type": "directory", "path": "/builds/worker/artifacts", "expires": "2030-01-31T12:00:00Z"}
    },
    "features": {"taskclusterProxy": True, "chainOfTrust": True},
    "maxRunTime": 3600,
}
"""Of a decision task in a container."""

WINDOWS: Mapping[str, Any] = {
    "command": ["set MOZ_HIDE_RESULTS_TABLE=1", "c:/mozilla-build/python3/python3.exe run-task -- bash -c true"],
    "maxRunTime": 7200,
    "mounts": [{"cacheName": "checkouts", "directory": "build"}],
    "features": {"runAsAdministrator": True, "hideCmdWindow": True, "taskclusterProxy": True},
    "rdpInfo": "login-identity/rdp.json",
}
"""Of a test on Windows."""


class FirefoxCase(SynchronousTestCase):
    """A worker as it is by default, but for what a test says."""

    dependencies: Sequence[str] = (IMAGE_TASK,)

    def judge(self, payload: Mapping[str, Any], **settings: Any) -> None:
        """Let platform and features look at a payload, as they do before anything runs."""
        config: Config = replace(so_far(lay_over([])), provisioner_id="gecko-3", worker_type="t-linux", **settings)
        parts = make_parts(Clock(), config)
        features = FeatureSet(parts.features)
        context = FakeTaskContext(Clock(), payload, task={"dependencies": self.dependencies})
        self.addCleanup(context.close)
        acceptance = Acceptance(config, parts.platforms, features.schemas)
        result_of(acceptance.platform_for(payload, context.log, NoThreads()))
        features.for_task(context)

    def refused(self, payload: Mapping[str, Any], **settings: Any) -> tuple[str, ...]:
        error = self.assertRaises(MalformedPayload, self.judge, payload, **settings)
        messages: tuple[str, ...] = error.messages
        return messages


class Payloads(FirefoxCase):
    def test_a_build_that_fetches_what_it_needs_by_itself(self) -> None:
        context = FakeTaskContext(Clock())
        self.addCleanup(context.close)
        artifacts = [{**entry, "expires": context.task["expires"]} for entry in BUILD["artifacts"]]
        self.judge({**BUILD, "artifacts": artifacts})

    def test_a_build_with_mounts(self) -> None:
        self.judge({**BUILD, "artifacts": [], "mounts": MOUNTS})

    def test_a_build_that_does_not_wait_for_what_it_mounts(self) -> None:
        self.dependencies = []
        (fault,) = self.refused({**BUILD, "artifacts": [], "mounts": MOUNTS})
        self.assertTrue(fault.startswith("payload.mounts[2].content.taskId: task.dependencies needs"), fault)

    def test_a_test_on_hardware_with_a_camera(self) -> None:
        features = {"loopbackVideo": True, "loopbackAudio": True, "taskclusterProxy": True, "interactive": False}
        payload = {**BUILD, "artifacts": [], "features": features, "osGroups": ["video", "audio"]}
        places = [fault.partition(": ")[0] for fault in self.refused(payload)]
        self.assertEqual(
            places, [f"payload.features.{key}" for key in ("taskclusterProxy", "loopbackAudio", "loopbackVideo")]
        )

    def test_a_decision_task_for_docker(self) -> None:
        (fault,) = self.refused(DOCKER)
        self.assertTrue(
            fault.startswith("payload.image: a payload with an image is for docker, which workers of gecko-3/")
        )

    def test_a_test_for_windows(self) -> None:
        faults = self.refused(WINDOWS)
        places = [fault.partition(": ")[0].removeprefix("payload.") for fault in faults]
        unknown = ["features.hideCmdWindow", "features.runAsAdministrator"]
        self.assertEqual(places, ["rdpInfo", "command[0]", "command[1]", *unknown])
        self.assertTrue(faults[1].endswith("(a string), expected a list"), faults[1])


class PoolsThatDoWithout(FirefoxCase):
    """What is on by default and a pool has switched off is simply off (contracts of generic-worker, 6)."""

    off: Mapping[str, bool] = {
        "enable_metadata": False,
        "enable_os_groups": False,
        "enable_resource_monitor": False,
        "enable_run_task_as_current_user": False,
    }

    def test_a_task_that_says_nothing(self) -> None:
        self.judge({"command": [["true"]], "maxRunTime": 1}, **self.off)

    def test_a_task_that_says_what_goes_without_saying(self) -> None:
        self.judge({**BUILD, "artifacts": []}, **self.off)

    def test_a_task_that_asks_for_more(self) -> None:
        payload = {**BUILD, "artifacts": [], "osGroups": ["kvm"], "features": {"runTaskAsCurrentUser": True}}
        faults = self.refused(payload, **self.off)
        self.assertEqual(len(faults), 2)
        for place, setting in (("osGroups", "OSGroups"), ("features.runTaskAsCurrentUser", "RunTaskAsCurrentUser")):
            expected = f"payload.{place}: workers of gecko-3/t-linux have switched this off (enable{setting}: false)"
            self.assertTrue(any(fault.startswith(expected) for fault in faults), faults)
