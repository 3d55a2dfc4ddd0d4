"""The embedded Taskcluster as a process of its own: prints its address and its credentials as one line of JSON."""

from __future__ import annotations

import json
import sys
from typing import Any

from twisted.internet import reactor as module

from tcworker.embedded.settings import TaskclusterSettings
from tcworker.embedded.taskcluster import Taskcluster
from tcworker.embedded.times import Times


def main(folder: str) -> None:
    reactor: Any = module
    taskcluster = Taskcluster(reactor, folder, TaskclusterSettings(times=Times(dependencies=0.1)))
    taskcluster.startService()
    reactor.addSystemEventTrigger("before", "shutdown", taskcluster.stopService)

    def tell(root_url: str) -> None:
        credentials = taskcluster.root_credentials
        settings = {
            "rootURL": root_url,
            "clientId": credentials.client_id,
            "accessToken": credentials.access_token,
        }
        print(json.dumps(settings), flush=True)

    taskcluster.when_listening().addCallback(tell)
    reactor.run()


if __name__ == "__main__":
    main(sys.argv[1])
