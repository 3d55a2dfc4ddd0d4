"""Hypothesis without limits of time: a machine that has other things to do is no fault of what is tested."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import hypothesis
from hypothesis import HealthCheck, settings

_PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def given(*strategies: Any, **named: Any) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """What hypothesis has under this name."""
    return lambda test: _PATIENT(hypothesis.given(*strategies, **named)(test))
