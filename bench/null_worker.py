"""A worker that runs nothing and makes exactly the calls that none can avoid. What it reaches is the queue's limit.

Each task costs a claim (shared with others that are claimed along), the declaration and the upload of a log of five
bytes, the declaration of C{live.log} as a link to it, and the report. Usage: C{null_worker.py CONFIG}, a JSON file with
generic-worker's names.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.task import react
from twisted.python.failure import Failure

from tcworker.client.http import HTTP
from tcworker.client.services import Queue
from tcworker.interfaces import JSON, Credentials

LOG = b"null\n"
LOG_TYPE = "text/plain; charset=utf-8"


class NullWorker:
    """Claims, and resolves as completed, as many tasks as the configuration says."""

    def __init__(self, reactor: Any, http: HTTP, config: Mapping[str, JSON]) -> None:
        self._reactor = reactor
        self._http = http
        self._config = config
        self._credentials = Credentials.from_json(config)
        self._queue = self._queue_for(self._credentials)
        self._left = int(config["numberOfTasksToRun"])
        self._running: set[Deferred[None]] = set()
        self._freed: Deferred[None] = Deferred()
        self._problems: list[Failure] = []

    async def run(self) -> None:
        """Claim for whatever is free, until all is done."""
        while self._left:
            free = min(int(self._config["capacity"]) - len(self._running), self._left, 32)
            if free:
                await self._claim(free)
            else:
                self._freed = Deferred()
                await self._freed
        await DeferredList(list(self._running))
        for problem in self._problems:
            problem.raiseException()

    async def _claim(self, free: int) -> None:
        config = self._config
        body = {"workerGroup": config["workerGroup"], "workerId": config["workerId"], "tasks": free}
        answer = await self._queue.claim_work(f"{config['provisionerId']}/{config['workerType']}", body)
        for claim in answer["tasks"]:
            self._left -= 1
            running = Deferred.fromCoroutine(self._resolve(claim))
            self._running.add(running)
            running.addBoth(self._ended, running)

    def _ended(self, result: Failure | None, running: Deferred[None]) -> None:
        self._running.discard(running)
        if isinstance(result, Failure):
            self._problems.append(result)
        if not self._freed.called:
            self._freed.callback(None)

    async def _resolve(self, claim: JSON) -> None:
        credentials = Credentials.from_json(claim["credentials"])
        queue = self._queue_for(credentials)
        run = (claim["status"]["taskId"], claim["runId"])
        common = {"expires": claim["task"]["expires"], "contentType": LOG_TYPE}
        log = await queue.create_artifact(*run, "public/logs/live_backing.log", {"storageType": "s3", **common})
        await self._http.request("PUT", log["putUrl"], headers={"Content-Type": LOG_TYPE}, body=LOG)
        link = {"storageType": "link", "artifact": "public/logs/live_backing.log", **common}
        await queue.create_artifact(*run, "public/logs/live.log", link)
        await queue.report_completed(*run)

    def _queue_for(self, credentials: Credentials) -> Queue:
        return Queue(self._http, self._config["rootURL"], lambda: credentials, self._reactor)


async def main(reactor: Any, config: Mapping[str, JSON]) -> None:
    """Run a null worker for a configuration."""
    http = HTTP(reactor)
    try:
        await NullWorker(reactor, http, config).run()
    finally:
        await http.close()


if __name__ == "__main__":
    settings = json.loads(Path(sys.argv[1]).read_text())
    react(lambda reactor: Deferred.fromCoroutine(main(reactor, settings)))
