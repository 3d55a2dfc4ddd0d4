"""C{tcworker server} from its options to its exit status."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from errno import EADDRINUSE, EADDRNOTAVAIL
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred, DeferredList, FirstError
from twisted.internet.error import CannotListenError

from tcworker.embedded.auth.static_file import BadStaticClients, read_static_clients
from tcworker.embedded.database_file import DataUnusable
from tcworker.embedded.settings import TaskclusterSettings
from tcworker.errors import ConfigError, ProcessStatus
from tcworker.interfaces import Credentials, Exit
from tcworker.server import temporary
from tcworker.server.announcement import announcement
from tcworker.server.deployment import ServerDeployment
from tcworker.server.options import ServerOptions
from tcworker.server.place import Place, find_place
from tcworker.server.refusal import CannotServe
from tcworker.server.token import Token, check_client_id, check_token, given_token, own_token, tunnel_secret
from tcworker.waiting import OneShot, Threads
from tcworker.worker import Worker

HURRY = 1.0
"""Seconds that a second signal leaves running tasks; to the process, it leaves as much again."""

LONGEST = 5.0
"""Seconds for everything to end but running tasks, which have their own before."""

_TODO = {
    EADDRINUSE: "stop what listens there, or give another --port (0: any that is free)",
    EADDRNOTAVAIL: "give --host an address of this machine",
}


class ServerCommand:
    """One run of the command.

    @param variable: the access token that the environment had; empty for none.
    @param write: prints a text at once.
    @param end_within: lets the process end after so many seconds whatever its threads do.
    """

    def __init__(
        self,
        reactor: Any,
        options: ServerOptions,
        variable: str,
        write: Callable[[str], None],
        end_within: Callable[[float], None],
    ) -> None:
        self._reactor = reactor
        self._options = options
        self._variable = variable
        self._write = write
        self._end_within = end_within
        self._asked: OneShot[None] = OneShot()
        self._deployment: ServerDeployment | None = None

    def run(self) -> Deferred[int]:
        """Serve until it is told to end; fires with the status to exit with. To be called once."""
        return Deferred.fromCoroutine(self._run())

    def interrupt(self) -> None:
        """End: running tasks go back to the queue. The second time, in a hurry."""
        if not self._asked.fired:
            self._end_within(LONGEST if self._deployment is None else self._deployment.grace + LONGEST)
            self._asked.succeed(None)
            return
        self._end_within(2 * HURRY)
        if self._deployment is not None:
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
        place = find_place(self._options.host, self._options.root_url)
        token = given_token(self._options.access_token_file, self._variable)
        check_token(token, place)
        if token is not None and token.warning:
            print(f"tcworker server: warning: {token.warning}", file=sys.stderr)
        if self._options.data is None:
            await _in_thread(self._reactor, temporary.remove_left)
        folder = temporary.make() if self._options.data is None else _absolute(self._options.data)
        try:
            await self._serve_in(folder, self._settings(place, partial(self._root, token, folder)))
        finally:
            if self._options.data is None:
                await _in_thread(self._reactor, shutil.rmtree, folder, True)

    def _root(self, token: Token | None, folder: str) -> Credentials:
        # Only now, for the folder may be another server's until it is asked for this.
        return Credentials(self._options.client_id, (token or own_token(folder)).text)

    def _settings(self, place: Place, root: Callable[[], Credentials]) -> TaskclusterSettings:
        """Make the Taskcluster's settings. Raises L{CannotServe} and L{BadStaticClients}."""
        options = self._options
        return TaskclusterSettings(
            interface=place.interface,
            host=place.name,
            port=options.port,
            root_url=options.root_url,
            times=options.times,
            root=root,
            static_clients=read_static_clients(options.static_clients) if options.static_clients is not None else (),
            tunnel_secret=tunnel_secret(options.tunnel_secret_file) if options.tunnel_secret_file is not None else None,
            pulse=options.pulse,
        )

    async def _serve_in(self, folder: str, settings: TaskclusterSettings) -> None:
        deployment = self._deployment = ServerDeployment(self._reactor, self._options, settings, folder)
        try:
            root_url = await deployment.start_taskcluster()
            if self._options.worker:
                # Only then is it known whether it can do what its settings ask for.
                await self._unless_asked(deployment.start_worker().when_booted())
            self._write(announcement(root_url, deployment.credentials, self._notes(deployment.port)))
            await self._until_end(deployment.worker)
            self._say_that_it_ends(deployment.worker)
        finally:
            await deployment.stop()

    def _notes(self, port: int) -> Iterator[str]:
        if self._options.data is None:
            yield "All of it is gone when it ends; --data DIR keeps it."
        else:
            yield f"It keeps everything in {os.path.abspath(self._options.data)}."
        yield f"A worker takes tasks of {self._options.pool}." if self._options.worker else "It has no worker."
        if self._options.root_url is not None:
            yield f"A proxy finds it at port {port}."
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


def _absolute(folder: str) -> str:
    return os.path.abspath(folder)


async def _in_thread(reactor: Any, work: Callable[..., object], *args: object) -> None:
    threads = Threads(reactor, 1, "removing")
    try:
        await threads.run(work, *args)
    finally:
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
