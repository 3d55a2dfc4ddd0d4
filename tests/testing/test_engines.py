"""The contract suite on the fake platform."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from tcworker.interfaces import SandboxRecord
from tcworker.testing.engines import CACHES, OWN_USER, SHELLS, TERMINALS, USAGE, EngineSuite, Made, Payload
from tcworker.testing.files import File, Link
from tcworker.testing.platform import FakeMachine, FakePlatform

SLEEP = {"sleep": 3600}


class ScriptPayloads:
    def prints(self, text: str, status: int = 0) -> Payload:
        return {"script": [*([{"print": text}] if text else []), {"exit": status}]}

    def prints_then_sleeps(self, text: str) -> Payload:
        return {"script": [{"print": text}, SLEEP]}

    def prints_env(self) -> Payload:
        return {"script": [{"env": True}]}

    def ignores_sigterm(self, text: str) -> Payload:
        return {"script": [{"ignore_term": True}, {"print": text}, SLEEP]}

    def leaves_daemon(self, text: str, marker: str, sleeps: bool) -> Payload:
        return {"script": [{"daemon": marker}, {"print": text}, *([SLEEP] if sleeps else [])]}

    def makes(self, tree: Mapping[str, Made]) -> Payload:
        return {"script": [make(path, made) for path, made in tree.items()]}

    def copying(self, stderr: str) -> Sequence[str]:
        return ["copy", stderr]

    def exiting(self, status: int) -> Sequence[str]:
        return ["exit", str(status)]

    def sleeping(self) -> Sequence[str]:
        return ["sleep"]

    def printing_env(self) -> Sequence[str]:
        return ["env"]

    def missing(self) -> Sequence[str]:
        return ["missing"]


def make(path: str, made: Made) -> Mapping[str, object]:
    return {
        "file": {"write": {"path": path, "text": made.text}},
        "unreadable": {"write": {"path": path, "text": made.text, "readable": False}},
        "folder": {"folder": {"path": path}},
        "locked": {"folder": {"path": path, "readable": False}},
        "link": {"link": {"path": path, "to": made.text}},
        "fifo": {"fifo": path},
        "nothing": {"remove": path},
    }[made.kind]


class FakePlatformContract(EngineSuite, TestCase):
    reactor = reactor  # type: ignore[assignment]  # the module of that name is one
    payloads = ScriptPayloads()
    offers = frozenset({CACHES, SHELLS, TERMINALS, USAGE, OWN_USER})

    def setUp(self) -> object:
        self.machine = FakeMachine()
        return super().setUp()

    def new_platform(self) -> FakePlatform:
        return FakePlatform(self.reactor, machine=self.machine)

    def failing_start(self) -> Payload:
        return {"script": [], "start": {"seconds": 0.01, "reason": "internal-error"}}

    def slow_start(self) -> Payload:
        return {"script": [SLEEP], "start": {"seconds": 0.006}}

    def traces(self) -> Sequence[str]:
        return list(self.machine.sandboxes)

    def processes(self, marker: str) -> Sequence[str]:
        return [process for process in self.machine.processes() if marker in process]

    def make_secret(self, text: str) -> str:
        self.machine.files["/secrets/file"] = File(text.encode(), readable=False)
        return "/secrets/file"

    def rewrite(self, record: SandboxRecord, path: str, content: bytes | None) -> None:
        files = self.machine.files_of(record)
        if content is None:
            files.remove(path)
        else:
            file = files.find(path)
            assert isinstance(file, File)
            file.content = content

    def replace_by_link(self, record: SandboxRecord, path: str, target: str) -> None:
        self.machine.files_of(record).make(path, Link(target))
