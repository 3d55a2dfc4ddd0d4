"""The child's program: C{python -I -S main.py ORDER}, see L{tcworker.extract.order}.

What it answers is a line on its stderr, as is whatever else its owner should know.
"""

from __future__ import annotations

import os
import sys

_WHILE_LOADING = 10


def main(text: str) -> None:
    """Do as told, and answer."""
    before = os.nice(0)
    # Many may begin at one time, and the worker that asks their servers goes first. Only root gets its turn back.
    if os.geteuid() == 0:
        os.nice(_WHILE_LOADING)
    import json

    # What is imported must be found as the worker finds it, and before the user changes: it may be nobody else's.
    sys.path[:] = json.loads(text)[-1]
    from tcworker.extract.child.rights import take_turn
    from tcworker.extract.child.work import work
    from tcworker.extract.order import LOADED, Order, write_answer

    take_turn(before)
    os.write(2, f"{LOADED}\n".encode())
    answer = work(Order.from_text(text))
    os.write(2, f"{write_answer(answer)}\n".encode())
    # Without waiting for a thread that nobody needs any more.
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1])
