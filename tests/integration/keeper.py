"""Runs a command beside the process that wants it, not below it: tests look at what this process has for children.

Started with the command as arguments. It ends the command when its standard input ends, as it does with whoever holds
the other end, and closes its standard output when the command is gone.
"""

from __future__ import annotations

import os
import select
import subprocess
import sys


def main(command: list[str]) -> None:
    if os.fork():
        os._exit(0)
    os.setsid()
    # The kernel ends it with this process, even if that is killed and no other hook can run.
    bound = ["setpriv", "--pdeathsig", "KILL", *command]
    output = sys.stderr.fileno()
    with subprocess.Popen(bound, stdin=subprocess.DEVNULL, stdout=output, start_new_session=True) as process:
        ended = os.pidfd_open(process.pid)
        readable, _, _ = select.select([0, ended], [], [])
        while ended not in readable and os.read(0, 1):
            readable, _, _ = select.select([0, ended], [], [])
        process.kill()


if __name__ == "__main__":
    main(sys.argv[1:])
