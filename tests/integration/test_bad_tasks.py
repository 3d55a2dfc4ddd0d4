"""Tasks that do what they should not: each is resolved for what it is, leaves nothing, and harms no other."""

from __future__ import annotations

from typing import ClassVar

from tests.integration import bad_files, bad_output, bad_processes
from tests.integration.bad_case import OF_NOBODY, OF_THEIR_OWN


class FilesOfNobody(bad_files.BadFiles):
    settings: ClassVar = OF_NOBODY


class OutputOfNobody(bad_output.BadOutput):
    settings: ClassVar = OF_NOBODY


class ProcessesOfNobody(bad_processes.BadProcesses):
    settings: ClassVar = OF_NOBODY


class FilesOfTheirOwn(bad_files.BadFiles):
    settings: ClassVar = OF_THEIR_OWN


class OutputOfTheirOwn(bad_output.BadOutput):
    settings: ClassVar = OF_THEIR_OWN


class ProcessesOfTheirOwn(bad_processes.BadProcesses):
    settings: ClassVar = OF_THEIR_OWN


class UsersOfTheirOwn(bad_processes.BadForItsUser):
    settings: ClassVar = OF_THEIR_OWN


class Limits(bad_processes.BadWithinLimits):
    """Those that a worker gives its tasks."""


class TheWorkerItself(bad_processes.BadForTheWorker):
    """Tasks that run as its own user."""
