"""The launcher's program: C{python -I -S main.py DESCRIPTOR LIMITS OWNER}.

The descriptor is a socket to the worker, the limits are those of L{Limits} as a JSON object. The owner says whose
launcher it is: by that a worker finds what one before it left.
"""

from __future__ import annotations

import os
import signal
import sys

if __name__ == "__main__":
    # Without site the package is not found by itself; what else is beside it comes last, where it shadows nothing.
    sys.path.append(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))


def main(descriptor: int, limits: str, owner: str) -> None:
    """Serve the worker at the other end of a socket."""
    import json
    import socket

    from tcworker.launcher.limits import Limits
    from tcworker.launcher.server import Launcher
    from tcworker.launcher.system import this_system
    from tcworker.launcher.watch import ignore
    from tcworker.launcher.wire import Port

    os.setsid()
    # What is sent to the worker's process group or unit is not for us: the worker decides, and we follow it.
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, ignore)
    # What somebody else blocked before would go on to the tasks.
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    os.set_inheritable(descriptor, False)
    Launcher(this_system(), Port(socket.socket(fileno=descriptor)), Limits(**json.loads(limits)), owner).run()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3])
