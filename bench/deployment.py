"""The embedded Taskcluster in a process of its own, so that its work is not counted as the worker's.

Run as a program it serves from a folder, prints where and for whom as a line of JSON, and ends when its standard input
does.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.stdio import StandardIO
from twisted.internet.task import react
from twisted.python.failure import Failure

from tcworker.embedded.settings import TaskclusterSettings
from tcworker.embedded.taskcluster import Taskcluster
from tcworker.interfaces import Credentials

PULSE = "BENCH_PULSE"


@contextmanager
def embedded(folder: str, pulse: str = "") -> Iterator[tuple[str, Credentials]]:
    """Serve while the block runs; gives the root URL and the credentials of who may do everything.

    @param pulse: the address of a broker that is to be told of everything.
    """
    command = [sys.executable, str(Path(__file__)), folder]
    environment = {**os.environ, PULSE: pulse}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdin is not None and process.stdout is not None
        said = json.loads(process.stdout.readline())
        try:
            yield said["rootUrl"], Credentials.from_json(said)
        finally:
            process.stdin.close()


class UntilClosed(Protocol):
    """Waits for the end of what it is connected to."""

    def __init__(self) -> None:
        self.closed: Deferred[None] = Deferred()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.closed.callback(None)


async def serve(reactor: Any, folder: str) -> None:
    """Serve until standard input ends."""
    taskcluster = Taskcluster(reactor, folder, TaskclusterSettings(pulse=os.environ.get(PULSE) or None))
    taskcluster.startService()
    root_url = await taskcluster.when_listening()
    root = taskcluster.root_credentials
    print(json.dumps({"rootUrl": root_url, "clientId": root.client_id, "accessToken": root.access_token}), flush=True)
    stdin = UntilClosed()
    StandardIO(stdin, reactor=reactor)
    await stdin.closed
    await taskcluster.stopService()


if __name__ == "__main__":
    react(lambda reactor: Deferred.fromCoroutine(serve(reactor, sys.argv[1])))
