"""How much of a disk a folder takes."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

KILOBYTE = 1024

_LOOK = 0.2
"""Seconds after which somebody is asked whether it is still wanted."""


def disk_use(path: str, wanted: Callable[[], bool] = lambda: True) -> int:
    """Bytes by disk blocks of a folder and all in it, each file once; 0 if it is not there. For threads.

    By a program of the system: it does not mind how deep the folder is, nor that it changes, and leaves this process's
    other threads alone. What cannot be read does not count.

    @param wanted: asked now and then; if not, it is given up, with whatever result.
    @raise OSError: the program cannot be run.
    """
    pipe, nothing = subprocess.PIPE, subprocess.DEVNULL
    with subprocess.Popen(["du", "-skx", path], cwd="/", stdin=nothing, stdout=pipe, stderr=nothing) as du:
        kilobytes = _output(du, wanted).split(maxsplit=1)
    return int(kilobytes[0]) * KILOBYTE if kilobytes else 0


def _output(du: subprocess.Popen[bytes], wanted: Callable[[], bool]) -> bytes:
    while True:
        try:
            return du.communicate(timeout=_LOOK)[0]
        except subprocess.TimeoutExpired:
            if not wanted():
                du.kill()
