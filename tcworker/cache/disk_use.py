"""How much of a disk a folder takes."""

from __future__ import annotations

import subprocess

KILOBYTE = 1024


def disk_use(path: str) -> int:
    """Bytes by disk blocks of a folder and all in it, each file once; 0 if it is not there. For threads.

    By a program of the system: it does not mind how deep the folder is, nor that it changes, and leaves this process's
    other threads alone. What cannot be read does not count.

    @raise OSError: the program cannot be run.
    """
    command = ["du", "-skx", path]
    du = subprocess.run(command, cwd="/", stdin=subprocess.DEVNULL, capture_output=True, check=False)
    kilobytes = du.stdout.split(maxsplit=1)
    return int(kilobytes[0]) * KILOBYTE if kilobytes else 0
