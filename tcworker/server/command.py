"""C{tcworker server} from its options to its exit status."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from errno import EADDRINUSE, EADDRNOTAVAIL
from typing import Any

from twisted.internet.defer import Deferred, DeferredList, FirstError
from twisted.internet.error import CannotListenError

from tcworker.embedded.auth.static_file import BadStaticClients, read_static_clients
from tcworker.embedded.database_file import DataUnusable
from tcworker.errors import ConfigError, ProcessStatus
from tcworker.interfaces import Credentials, Exit
from tcworker.server.announcement import announcement
from tcworker.server.deployment import Deployment
from tcworker.server.options import CannotServe, ServerOptions
from tcworker.server.place import Place, check_token, find_place
from tcworker.server.token import check_client_id, given_token, own_token
from tcworker.waiting import OneShot, Threads
from tcworker.worker import Worker

HURRY = 1.0
"""Seconds that a second signal leaves."""

_TODO = {
    EADDRINUSE: "stop what listens there, or give another --port (0: any that is free)",
    EADDRNOTAVAIL: "give --host an address of this machine",
}


class ServerCommand:
    """One run of the command.

    @param variable: the access token that the environment had; empty for none.
    @param write: prints a text at once.
    """

    def __init__(self, reactor: Any, options: ServerOptions, variable: str, write: Callable[[str], None]) -> None:
        self._reactor = reactor
        self._options = options
        self._variable = variable
        self._write = write
        self._asked: OneShot[None] = OneShot()
        self._deployment: Deployment | None = None

    def run(self) -> Deferred[int]:
        """Serve until it is told to end; fires with the status to exit with. To be called once."""
        return Deferred.fromCoroutine(self._run())

    def interrupt(self) -> None:
        """End: running tasks go back to the queue. The second time, in a hurry."""
        if not self._asked.fired:
            self._asked.succeed(None)
        elif self._deployment is not None:
            self._deployment.hurry(HURRY)

    async def _run(self) -> int:
        try:
            await self._serve()
        except CannotServe as error:
            return _refuse(error, error.status)
        except CannotListenError as error:
            return _refuse(_why_not_listening(error), ProcessStatus.UNUSABLE_CONFIG)
        except (BadStaticClients, ConfigError, DataUnusable, OSError) as error:
            return _refuse(error, ProcessStatus.UNUSABLE_CONFIG)
        return ProcessStatus.DONE

    async def _serve(self) -> None:
        check_client_id(self._options.client_id)
        place = find_place(self._options.host)
        token = given_token(self._options.access_token_file, self._variable)
        folder = _make_folder(self._options.data)
        try:
            token = token or own_token(folder)
            check_token(token, place)
            if token.warning:
                print(f"tcworker server: warning: {token.warning}", file=sys.stderr)
            await self._serve_in(folder, place, Credentials(self._options.client_id, token.text))
        finally:
            if self._options.data is None:
                await _remove(self._reactor, folder)

    async def _serve_in(self, folder: str, place: Place, credentials: Credentials) -> None:
        path = self._options.static_clients
        clients = read_static_clients(path) if path is not None else ()
        deployment = self._deployment = Deployment(self._reactor, self._options, place, credentials, clients, folder)
        try:
            root_url = await deployment.start()
            if self._options.worker:
                # Only then is it known whether it can do what its settings ask for.
                await self._unless_asked(deployment.start_worker().when_booted())
            self._write(announcement(root_url, credentials, self._notes()))
            await self._until_end(deployment.worker)
            self._say_that_it_ends(deployment.worker)
        finally:
            await deployment.stop()

    def _notes(self) -> Iterator[str]:
        if self._options.data is None:
            yield "All of it is gone when it ends; --data DIR keeps it."
        else:
            yield f"It keeps everything in {os.path.abspath(self._options.data)}."
        yield f"A worker takes tasks of {self._options.pool}." if self._options.worker else "It has no worker."
        yield "Ctrl-C ends it."

    async def _until_end(self, worker: Worker | None) -> None:
        """Return when somebody asks for the end. Raises what ended the worker, if that comes first."""
        await self._unless_asked(worker.when_stopped().addCallback(_ended) if worker else Deferred())

    async def _unless_asked(self, waiting: Deferred[Any]) -> None:
        """Return when something happened or somebody asked for the end; raise what it failed with."""
        try:
            both = [waiting, self._asked.wait()]
            await DeferredList(both, fireOnOneCallback=True, fireOnOneErrback=True, consumeErrors=True)
        except FirstError as error:
            error.subFailure.raiseException()

    def _say_that_it_ends(self, worker: Worker | None) -> None:
        if worker is not None:
            print("Ending; running tasks go back to the queue. Once more, to hurry.", file=sys.stderr)


def _make_folder(data: str | None) -> str:
    """Make the folder that everything is in. Raises L{CannotServe}."""
    if data is None:
        return tempfile.mkdtemp(prefix="tcworker-server-")
    try:
        os.makedirs(data, mode=0o700, exist_ok=True)
        # Tried, for permissions do not tell of what is mounted read-only, nor of a full disk.
        with tempfile.TemporaryFile(dir=data) as file:
            file.write(b"x")
    except OSError as error:
        why = "that is no folder" if isinstance(error, FileExistsError) else error.strerror
        raise CannotServe(f"--data {data}: nothing can be kept there: {why}") from None
    return os.path.abspath(data)


async def _remove(reactor: Any, folder: str) -> None:
    threads = Threads(reactor, 1, "removing")
    await threads.run(shutil.rmtree, folder, True)
    await threads.stop()


def _ended(exit: Exit) -> None:
    raise CannotServe(f"the worker stopped: {exit.why}", ProcessStatus.INTERNAL_ERROR)


def _why_not_listening(error: CannotListenError) -> str:
    why = getattr(error.socketError, "strerror", None) or error.socketError
    todo = _TODO.get(getattr(error.socketError, "errno", 0), "give another --port (0: any that is free)")
    return f"cannot listen at {error.interface}, port {error.port}: {why}; {todo}"


def _refuse(why: object, status: int) -> int:
    print(f"tcworker server: {why}", file=sys.stderr)
    return status
