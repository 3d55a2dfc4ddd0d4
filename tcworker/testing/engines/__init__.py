"""The contract suite that every platform must pass, ours and somebody else's.

Mix L{EngineSuite} into a test case of trial and fill in L{EngineHarness}::

    from twisted.internet import reactor
    from twisted.trial.unittest import TestCase

    from tcworker.testing.engines import SHELLS, EngineSuite, ShellPayloads

    class MyPlatformContract(EngineSuite, TestCase):
        reactor = reactor
        payloads = ShellPayloads(lambda script: {"command": [["sh", "-c", script]]})
        offers = frozenset({SHELLS})

        def new_platform(self):
            return MyPlatform(reactor, config)

Each case says in its text what it asks for. Those that need something the test case does not say are skipped, with
the reason: fill in C{failing_start}, C{traces}, C{rewrite} and C{replace_by_link} to have them all.
"""

from __future__ import annotations

from tcworker.testing.engines.artifacts import FileCases
from tcworker.testing.engines.caches import CacheCases, ConflictCases, MountedFileCases, TreeCases
from tcworker.testing.engines.endings import AbortCases, FinishCases, KillCases
from tcworker.testing.engines.environment import EnvironmentCases
from tcworker.testing.engines.folders import FolderCases
from tcworker.testing.engines.harness import (
    CACHES,
    OWN_USER,
    PROXIES,
    SERVICES,
    SHELLS,
    TERMINALS,
    USAGE,
    EngineHarness,
)
from tcworker.testing.engines.logs import LogCases
from tcworker.testing.engines.payloads import Made, Payload, Payloads, ShellPayloads
from tcworker.testing.engines.refusals import RefusalCases
from tcworker.testing.engines.secrets import SecretCases
from tcworker.testing.engines.shells import ShellCases
from tcworker.testing.engines.starts import StartCases
from tcworker.testing.engines.usage import UsageCases
from tcworker.testing.engines.workers import NeighbourCases, RestartCases

__all__ = [
    "CACHES",
    "OWN_USER",
    "PROXIES",
    "SERVICES",
    "SHELLS",
    "TERMINALS",
    "USAGE",
    "EngineHarness",
    "EngineSuite",
    "Made",
    "Payload",
    "Payloads",
    "ShellPayloads",
]


class EngineSuite(
    LogCases,
    FinishCases,
    KillCases,
    AbortCases,
    StartCases,
    UsageCases,
    EnvironmentCases,
    FileCases,
    FolderCases,
    CacheCases,
    TreeCases,
    MountedFileCases,
    ConflictCases,
    SecretCases,
    ShellCases,
    NeighbourCases,
    RestartCases,
    RefusalCases,
):
    """All cases."""
