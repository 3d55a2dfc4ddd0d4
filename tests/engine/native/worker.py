"""A worker in a process of its own, which runs one task.

C{python -m tests.engine.native.worker TASKS_DIR PAYLOAD [SETTINGS]}, both of JSON, the latter of its configuration.

It prints its sandbox's record as JSON, and at the end the log and the result's C{success}.
"""

from __future__ import annotations

import json
import sys

from twisted.internet.defer import Deferred
from twisted.internet.task import react

from tcworker.engine.native.platform import NativePlatform
from tcworker.testing.context import FakeTaskContext
from tests.engine.native.harness import new_config


async def _run(reactor, tasks_dir: str, payload: str, settings: str = "{}") -> None:
    platform = NativePlatform(reactor, new_config(tasks_dir, **json.loads(settings)))
    await platform.prepare([])
    context = FakeTaskContext(reactor, json.loads(payload))
    execution = await platform.new_engine(context).start()
    print(json.dumps(dict(execution.record.details)), flush=True)
    result = await execution.when_finished()
    print(context.log.text, result.success, flush=True)
    await result.dispose()
    await platform.dispose()


if __name__ == "__main__":
    react(lambda reactor, *arguments: Deferred.fromCoroutine(_run(reactor, *arguments)), sys.argv[1:])
