"""The embedded Taskcluster as a process of its own, for tests that need one beside them.

Started with a folder and its times, as JSON. It prints its address and its credentials as one line of JSON, and ends
with its standard input, as it does when whoever holds the other end is gone.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from twisted.internet import reactor as module
from twisted.internet.protocol import Protocol
from twisted.internet.stdio import StandardIO
from twisted.python.failure import Failure

from tcworker.embedded.settings import TaskclusterSettings
from tcworker.embedded.taskcluster import Taskcluster
from tcworker.embedded.times import Times

reactor: Any = module


class _Leash(Protocol):
    """Ends the server with the process that started it, however that one ends."""

    def connectionLost(self, reason: Failure | None = None) -> None:
        if reactor.running:
            reactor.stop()


def main(folder: str, times: str) -> None:
    taskcluster = Taskcluster(reactor, folder, TaskclusterSettings(times=Times(**json.loads(times))))
    reactor.addSystemEventTrigger("before", "shutdown", taskcluster.stopService)
    taskcluster.when_listening().addCallback(_announce, taskcluster).addErrback(_give_up)
    taskcluster.startService()
    reactor.callWhenRunning(StandardIO, _Leash())
    reactor.run()


def settings_of_root(taskcluster: Taskcluster) -> dict[str, str]:
    """A worker's settings by which root calls a Taskcluster that listens."""
    root = taskcluster.root_credentials
    return {"rootURL": taskcluster.root_url, "clientId": root.client_id, "accessToken": root.access_token}


def _announce(root_url: str, taskcluster: Taskcluster) -> None:
    print(json.dumps(settings_of_root(taskcluster)), flush=True)


def _give_up(failure: Failure) -> None:
    failure.printTraceback()
    reactor.callWhenRunning(reactor.stop)


if __name__ == "__main__":
    main(*sys.argv[1:])
