"""The native platform passes the suite that every platform must pass."""

from __future__ import annotations

import os
import shutil
import tempfile
from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import ClassVar

from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from tcworker.engine.native.platform import NativePlatform
from tcworker.engine.native.useradd import users_at_home_in
from tcworker.interfaces import IPlatform, SandboxRecord
from tcworker.testing.engines import CACHES, OWN_USER, SHELLS, TERMINALS, USAGE, EngineSuite, Payload, ShellPayloads
from tests.engine.native.harness import names_in, new_config, new_tasks_dir
from tests.surroundings import only_root

THERE = frozenset({CACHES, SHELLS, TERMINALS, USAGE})


def hidden(script: str) -> Payload:
    """Run a script that cannot be read in the line of the log that shows the command."""
    encoded = b64encode(script.encode()).decode()
    return {"command": [["sh", "-c", f'eval "$(printf %s {encoded} | base64 -d)"']]}


class NativeContract(EngineSuite, TestCase):
    """As the user who runs the tests."""

    reactor = reactor
    payloads = ShellPayloads(hidden)
    offers = THERE if os.geteuid() == 0 else THERE | {OWN_USER}
    settings: ClassVar[Mapping[str, object]] = {}

    def setUp(self):
        self.tasks_dir = new_tasks_dir(self)
        return super().setUp()

    def new_platform(self) -> IPlatform:
        if (before := getattr(self, "platform", None)) is not None:
            # As with the process of a worker that died.
            before._folders._top.give_up()
        caches_dir = os.path.join(os.path.dirname(self.tasks_dir), "caches")
        return NativePlatform(self.reactor, new_config(self.tasks_dir, caches_dir=caches_dir, **self.settings))

    def failing_start(self) -> Payload:
        os.rmdir(self.tasks_dir)
        with open(self.tasks_dir, "w"):
            pass
        return self.payloads.prints("never")

    def traces(self) -> Sequence[str]:
        return names_in(self.tasks_dir)

    def make_secret(self, text: str) -> str:
        """In a folder of its own: the suite reads all that is beside it."""
        folder = tempfile.mkdtemp(prefix="tcworker-secret-")
        self.addCleanup(shutil.rmtree, folder)
        os.chmod(folder, 0o755)
        path = os.path.join(folder, "secret")
        with open(os.open(path, os.O_CREAT | os.O_WRONLY, 0), "w") as file:
            file.write(text)
        return path

    def rewrite(self, record: SandboxRecord, path: str, content: bytes | None) -> None:
        place = os.path.join(record.details["folder"], path)
        if content is None:
            os.unlink(place)
        else:
            with open(place, "wb") as file:
                file.write(content)

    def replace_by_link(self, record: SandboxRecord, path: str, target: str) -> None:
        place = os.path.join(record.details["folder"], path)
        os.unlink(place)
        os.symlink(target, place)


class NativeContractAsNobody(NativeContract):
    """As an account of its own, which only root can give tasks."""

    offers = THERE | {OWN_USER}
    settings: ClassVar[Mapping[str, object]] = {"task_user": "nobody"}

    def setUp(self):
        only_root()
        return super().setUp()


class NativeContractWithOwnUsers(NativeContractAsNobody):
    """Each task as a user that is made for it, with a /tmp of its own."""

    settings: ClassVar[Mapping[str, object]] = {"task_users": True}
    caches_can_go = False

    def traces(self) -> Sequence[str]:
        return [*super().traces(), *(user for user, _, _ in users_at_home_in(self.tasks_dir))]
