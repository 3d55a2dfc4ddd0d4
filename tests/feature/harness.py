"""What the tests of features share."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar

from twisted.internet.defer import Deferred

from tcworker.config import Config
from tcworker.interfaces import Credentials

T = TypeVar("T")

CONFIG = Config(root_url="https://tc.example.com", credentials=Credentials("w", "x"), worker_type="t", worker_id="i")
"""A worker whose settings say nothing but what they must."""


def result_of(work: Coroutine[Deferred[Any], Any, T]) -> T:
    """What some work comes to that waits for nobody. Raises what it fails with."""
    try:
        work.send(None)
    except StopIteration as end:
        result: T = end.value
        return result
    raise AssertionError("it waits")
