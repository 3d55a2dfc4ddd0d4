"""What the worker's state does not take while its disk is full: said in a line, for that is no fault of the code."""

from __future__ import annotations

from collections.abc import Awaitable

from twisted.internet.defer import CancelledError
from twisted.logger import Logger

from tcworker.task.outcome import full_disk

_log = Logger()


async def or_log(written: Awaitable[None], follows: str) -> None:
    """Wait until something is written that can be done without; if it is not, that is logged.

    @param follows: what is not known then, and what follows from that.
    """
    try:
        await written
    except CancelledError:
        raise
    except Exception as error:
        if (full := full_disk(error)) is None:
            _log.failure("the worker's state did not take {follows}", follows=follows)
        else:
            _log.warn("the worker's state did not take {follows}: {problem}", follows=follows, problem=full[1])
