"""What the tests of the native platform share."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from typing import Any

from tcworker.config import Config
from tcworker.interfaces import Credentials


def new_config(tasks_dir: str, **settings: Any) -> Config:
    """The settings that the platform reads, and something for the rest."""
    return Config(
        root_url="https://tc.example.com",
        credentials=Credentials("worker", "secret"),
        worker_type="test",
        worker_id="w1",
        tasks_dir=tasks_dir,
        **settings,
    )


def new_tasks_dir(add_cleanup: Callable[..., Any]) -> str:
    """A folder for tasks that every user may pass through, removed after the test."""
    parent = tempfile.mkdtemp(prefix="tcworker-tasks-")
    add_cleanup(shutil.rmtree, parent, ignore_errors=True)
    os.chmod(parent, 0o755)
    return os.path.join(parent, "tasks")


def names_in(folder: str) -> Sequence[str]:
    """What is in a folder that may not be there."""
    return sorted(os.listdir(folder)) if os.path.isdir(folder) else []
