"""Kills processes of a user that are nobody's whom we know: what others started for it, as cron does."""

from __future__ import annotations

import os
import signal
from typing import NoReturn

from tcworker.launcher.child import Account

_NOBODYS = 2**32 - 4
"""The highest of the numbers that no user has; each user's killer has another, lest they kill each other."""


def kill_all_of(account: Account) -> NoReturn:
    """Kill all processes of a user, and end."""
    try:
        _become_killer(account)
        # In one breath, and without ourselves.
        os.kill(-1, signal.SIGKILL)
    finally:
        os._exit(0)


def _become_killer(account: Account) -> None:
    """Be somebody who may kill the user's processes, and whom they may neither kill nor stop.

    The kernel compares real and effective number of who sends a signal with real and saved number of who gets it.
    """
    own = _NOBODYS - account.uid
    try:
        os.setresuid(own, account.uid, own)
    except (OSError, AttributeError):
        # There is no such call, or in this container no such number.
        account.become()
