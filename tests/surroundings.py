"""What tests have around them: who runs them, folders that everybody may enter, and the time that they take."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable

from twisted.internet import reactor
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tcworker.testing.engines import patience


def only_root() -> None:
    """Skip a test that needs what only root may do, and only Linux has."""
    if os.geteuid() != 0 or sys.platform != "linux":
        raise SkipTest("only root can do this")


def open_folder(test: SynchronousTestCase) -> str:
    """Make a folder that every user may pass through, gone after the test; trial's own may be closed to them."""
    folder = tempfile.mkdtemp(prefix="tcworker-test-")
    test.addCleanup(shutil.rmtree, folder, ignore_errors=True)
    os.chmod(folder, 0o755)
    return folder


async def until(true: Callable[[], object], seconds: float = 30, complaint: Callable[[], object] = str) -> None:
    """Wait until something is true. Raises C{AssertionError} with a complaint if that takes long."""
    await patience.until(reactor, true, complaint, seconds)
