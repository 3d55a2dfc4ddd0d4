"""Powers the machine off."""

from __future__ import annotations

import shutil
from collections.abc import Sequence

from twisted.internet.interfaces import IReactorProcess
from twisted.logger import Logger

from tcworker.process import spawn

SHUTDOWN = ("shutdown", "-h", "now")

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Where such a program is, whatever the worker's own environment says: who starts a worker is not always a login."""

_log = Logger()


async def power_off(reactor: IReactorProcess, command: Sequence[str] = SHUTDOWN) -> None:
    """Ask the system to power the machine off; that it does not is logged, for the worker goes all the same."""
    program = shutil.which(command[0], path=PATH)
    if program is None:
        _log.error("the machine stays on: there is no {name} in {path}", name=command[0], path=PATH)
        return
    said: list[str] = []
    try:
        child = spawn(reactor, [program, *command[1:]], {"PATH": PATH}, {}, said.append)
        ended = await child.when_ended()
    except OSError as error:
        _log.error("the machine stays on: {program} cannot be started ({error})", program=program, error=error)
        return
    if not ended.success:
        _log.error("the machine may stay on: {program}: {said}", program=program, said=" ".join(said) or ended)
