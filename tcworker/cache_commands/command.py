"""C{tcworker caches} from its arguments to its exit status."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from tcworker.cache_commands.left import NotAllRemoved, obey
from tcworker.cache_commands.table import as_table
from tcworker.config import Config, Source, fitting, lay_over, load_file, so_far
from tcworker.config_faults import raise_faults
from tcworker.config_source import Merged
from tcworker.control.client import NobodyThere, NoWorker, call
from tcworker.control.orders import LIST_CACHES, NO_ORDER, Order
from tcworker.errors import ConfigError, ProcessStatus, StateDirectoryTaken, StateUnusable
from tcworker.interfaces import JSON
from tcworker.local_run.kept import state_dir_in, usual_folder
from tcworker.state_folder import DATABASE

_PLACES = ("stateDir", "cachesDir", "downloadsDir")

PATIENCE = 600.0
"""Seconds in which a worker answers, should its disk be slow."""


@dataclass(frozen=True)
class CacheOptions:
    """What the command line says.

    @ivar configs: files with the worker's settings, which say where its folders are.
    @ivar state_dir: of a worker; C{None} for what the settings say, or that of C{tcworker run} without any.
    @ivar as_json: whether what there is is printed for programs.
    """

    order: Order
    configs: Sequence[str] = ()
    state_dir: str | None = None
    as_json: bool = False


class Refused(Exception):
    """It cannot be done; the text says why and what to do."""


def main(options: CacheOptions) -> int:
    """Say an order to the worker, or do what it says where none runs, and give the status to exit with."""
    try:
        answer = _do(options)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return error.exit_status
    except (NoWorker, Refused) as error:
        print(f"tcworker caches: {error}", file=sys.stderr)
        return ProcessStatus.INTERNAL_ERROR
    print(_text(answer, options))
    return ProcessStatus.DONE


def _do(options: CacheOptions) -> JSON:
    config = _config(options)
    try:
        answer = call(config.state_dir, options.order, PATIENCE)
    except NobodyThere:
        # Should one begin meanwhile, the lock of the state directory keeps the two apart.
        answer = _do_alone(config, options.order)
    if "error" in answer:
        hint = "; it is an older one, which does not know it" if answer["error"].startswith(NO_ORDER) else ""
        raise Refused(f"the worker says: {answer['error']}{hint}")
    return answer


def _config(options: CacheOptions) -> Config:
    # Whatever else is wrong in them, the worker said at its start.
    sources = [load_file(path) for path in options.configs]
    if not sources:
        kept = state_dir_in(usual_folder(os.environ))
        sources = [Source("the command line", {"stateDir": options.state_dir or kept})]
    merged = lay_over(sources)
    # In the place of one that is wrong there would be the usual one, where somebody else's caches may be.
    raise_faults(
        Merged({key: merged.values[key] for key in _PLACES if key in merged.values}, merged.origins), whole=False
    )
    return so_far(fitting(merged))


def _do_alone(config: Config, order: Order) -> JSON:
    if not os.path.exists(os.path.join(config.state_dir, DATABASE)):
        raise Refused(f"no worker has kept anything in {config.state_dir}: if its stateDir is another one, say that")
    try:
        return _run(config, order)
    except StateDirectoryTaken as taken:
        raise Refused(f"the worker does not answer, it may be starting or ending: {taken}") from None
    except (StateUnusable, NotAllRemoved, OSError) as error:
        raise Refused(str(error)) from None


def _run(config: Config, order: Order) -> JSON:
    """Do it with the process's own reactor."""
    from twisted.internet import reactor as module

    reactor: Any = module
    outcomes: list[JSON | Failure] = []

    def start() -> None:
        Deferred.fromCoroutine(obey(reactor, config, order)).addBoth(outcomes.append).addBoth(lambda _: reactor.stop())

    reactor.callWhenRunning(start)
    reactor.run()
    [outcome] = outcomes
    if isinstance(outcome, Failure):
        outcome.raiseException()
    return outcome


def _text(answer: JSON, options: CacheOptions) -> str:
    if options.order.what != LIST_CACHES:
        return str(answer["said"])
    return json.dumps(answer["caches"], indent=2) if options.as_json else as_table(answer["caches"], time.time())
