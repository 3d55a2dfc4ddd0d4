"""The C{tcworker} command: its arguments, and who does what they ask for.

What a command needs is imported by that command alone: C{tcworker --help} is there at once.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import tcworker
from tcworker import arguments
from tcworker.control.orders import CLEAR_CACHES, LIST_CACHES, ORDERS, PURGE_CACHE, STATUS, Order
from tcworker.errors import ConfigError, ProcessStatus
from tcworker.server.arguments import add_arguments as add_server_arguments
from tcworker.server.arguments import options_of

UNUSABLE = ProcessStatus.UNUSABLE_CONFIG
"""The exit status for a command line or a file that cannot be used."""

RUN = """\
Run tasks on this machine, with a Taskcluster inside that lasts as long as they do.

A FILE holds a task definition or only a payload, in YAML or JSON, with JSON-e. The exit status is that of the worst
task: 0 completed, 1 failed, 2 exception; 64 for a file that cannot be used. docs/running-tasks.md tells more."""

SERVER = """\
Run a whole Taskcluster on this machine, with a worker, until Ctrl-C.

It prints its root URL, the address of its web page, and the variables by which any Taskcluster client finds it. The
access token is that of --access-token-file, else that of the variable TASKCLUSTER_ACCESS_TOKEN, else one made for it.
The exit status is 0 when it was told to end, 64 when it cannot serve what is asked for, 69 when it broke.
docs/server.md tells more."""

WORKER = """\
Run a worker until it is told to go: tasks may finish after SIGINT, and end at once after SIGTERM."""

CONTROL = """\
Tell a running worker to go, or ask how it stands. How it stands then is printed as JSON.

drain: take no more tasks, and end when the running ones are done. stop: end them, so that other workers take them.
A second order can only shorten the time. Only the worker's own user, and root, can call it."""

CACHES = """\
Say what is kept for tasks on this machine, or throw it away: with the worker if one runs, else where it left it.

list: what there is, how large, when it was last used, how long it took to make, which task has it. purge: throw away
the caches of a name. clear: throw away all there is. What a task uses meanwhile goes when it is done. Without --config
and --state-dir it is about what tcworker run keeps. docs/caches.md tells more."""

CHECK = """\
Show what settings a worker would have, and where each value comes from. Secrets are not shown."""


SCHEMA = """\
Print what the payload of a task may be, as a JSON schema, or without a PLATFORM the names of those that there are.
With "verdict" in its place: what a verdict.json is, which says why a run was not completed.

It is that of a worker with these settings, or without any of one as it is by default. docs/payload.md tells more."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> None:  # type: ignore[override]  # it exits, as the base class does
        self.print_usage(sys.stderr)
        self.exit(UNUSABLE, f"{self.prog}: {message}\n")


def main(words: Sequence[str] | None = None) -> int:
    """Do what a command line asks for, and give the status to exit with."""
    options = _parser().parse_args(words)
    status: int = options.do(options)
    return status


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="tcworker", description="A Taskcluster worker.")
    parser.add_argument("--version", action="version", version=f"tcworker {tcworker.__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=_Parser)
    _add_run(_command(commands, "run", "run tasks on this machine", RUN))
    _add_server(_command(commands, "server", "run a Taskcluster on this machine", SERVER))
    _add_worker(_command(commands, "worker", "run a worker of a Taskcluster", WORKER))
    _add_control(_command(commands, "control", "tell a running worker to go, or ask how it stands", CONTROL))
    _add_caches(_command(commands, "caches", "see or throw away what is kept for tasks", CACHES))
    _add_check(_command(commands, "check", "show a worker's settings", CHECK))
    _add_schema(_command(commands, "schema", "print what a task's payload may be", SCHEMA))
    return parser


def _command(commands: argparse._SubParsersAction[_Parser], name: str, help: str, description: str) -> _Parser:
    return commands.add_parser(
        name, help=help, description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )


def _add_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", nargs="*", metavar="FILE", help="several are one task group")
    parser.add_argument(
        "--param",
        action="append",
        default=[],
        type=arguments.param,
        metavar="KEY=VALUE",
        help="a value for JSON-e, as text",
    )
    parser.add_argument("--capacity", type=arguments.count, default=1, metavar="N", help="run N tasks at a time (1)")
    parser.add_argument("--checkout", metavar="DIR", help="give each task a copy of DIR; it finds it in $CHECKOUT")
    parser.add_argument(
        "--task-users", action="store_true", help="give each task a user of its own, as root's worker does"
    )
    parser.add_argument("--artifacts", metavar="DIR", help="where artifacts go; by default a new folder")
    parser.add_argument("--caches", metavar="DIR", help="where caches stay for the next run (~/.cache/tcworker)")
    parser.add_argument("--verbose", action="store_true", help="show the worker's own log, too")
    _add_worker_options(parser.add_argument_group("without a FILE, the same as tcworker worker"), required=False)
    parser.set_defaults(do=_run)


def _add_server(parser: argparse.ArgumentParser) -> None:
    add_server_arguments(parser)
    parser.set_defaults(do=_server)


def _add_worker(parser: argparse.ArgumentParser) -> None:
    _add_worker_options(parser, required=True)
    parser.set_defaults(do=_worker)


def _add_worker_options(parser: argparse._ActionsContainer, *, required: bool) -> None:
    _add_config(parser, required=required)
    parser.add_argument("--log-format", choices=["text", "json"], default="text", help="of the log on stderr")
    # worker-runner gives these; refused with a reason, they say more than "unrecognized".
    parser.add_argument("--with-worker-runner", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--worker-runner-protocol-pipe", metavar="PATH", help=argparse.SUPPRESS)


def _add_control(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("order", choices=ORDERS, metavar="ORDER", help=" or ".join(ORDERS))
    parser.add_argument(
        "--seconds", type=arguments.seconds, metavar="N", help="drain and stop: be gone after so many at the latest"
    )
    place = parser.add_mutually_exclusive_group(required=True)
    _add_config(place, required=False)
    place.add_argument("--state-dir", metavar="DIR", help="the worker's state directory")
    parser.set_defaults(do=_control)


def _add_caches(parser: argparse.ArgumentParser) -> None:
    orders = parser.add_subparsers(required=True, metavar="ORDER", parser_class=_Parser)
    for word, order in (("list", LIST_CACHES), ("purge", PURGE_CACHE), ("clear", CLEAR_CACHES)):
        what = orders.add_parser(word)
        if order == PURGE_CACHE:
            what.add_argument("name", metavar="NAME", help="of the caches; one that begins with - comes last, after --")
        if order == LIST_CACHES:
            what.add_argument("--json", action="store_true", help="for programs")
        place = what.add_mutually_exclusive_group()
        _add_config(place, required=False)
        place.add_argument("--state-dir", metavar="DIR", help="the worker's state directory")
        what.set_defaults(do=_caches, order=order, name="", json=False)


def _add_check(parser: argparse.ArgumentParser) -> None:
    _add_config(parser, required=True)
    parser.set_defaults(do=_check)


def _add_schema(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("platform", nargs="?", metavar="PLATFORM", help="for example native")
    _add_config(parser, required=False)
    parser.set_defaults(do=_schema)


def _add_config(parser: argparse._ActionsContainer, *, required: bool) -> None:
    parser.add_argument(
        "--config",
        action="append",
        default=[],
        required=required,
        metavar="FILE",
        help="the settings, YAML or JSON; of several the later ones win",
    )


def _run(options: argparse.Namespace) -> int:
    # generic-worker is started as "run --config FILE", and so is what takes its place.
    if not options.files and options.config:
        return _worker(options)
    if not options.files or options.config:
        print("tcworker run: give FILEs, or --config and none", file=sys.stderr)
        return UNUSABLE
    from tcworker.local_run.command import RunOptions
    from tcworker.local_run.main import main as run_tasks

    return run_tasks(
        RunOptions(
            files=options.files,
            params=dict(options.param),
            capacity=options.capacity,
            artifacts=options.artifacts,
            checkout=options.checkout,
            caches=options.caches,
            task_users=options.task_users,
            verbose=options.verbose,
        )
    )


def _server(options: argparse.Namespace) -> int:
    from tcworker.server.main import main as serve

    return serve(options_of(options))


def _worker(options: argparse.Namespace) -> int:
    if options.with_worker_runner or options.worker_runner_protocol_pipe:
        print("tcworker: it does not speak worker-runner's protocol yet; start it without", file=sys.stderr)
        return UNUSABLE
    # Only now: whoever imports it first decides which reactor a process has.
    from twisted.internet import reactor

    from tcworker.assemble import new_worker
    from tcworker.config import load_files
    from tcworker.running import run_forever

    try:
        worker = new_worker(reactor, load_files(options.config))
    except ConfigError as error:
        return _refuse(error)
    return run_forever(reactor, worker, options.log_format, sys.stderr)


def _control(options: argparse.Namespace) -> int:
    if options.order == STATUS and options.seconds is not None:
        print("tcworker control: status takes no --seconds", file=sys.stderr)
        return UNUSABLE
    from tcworker.control.command import main as call_worker

    return call_worker(Order(options.order, options.seconds), options.config, options.state_dir)


def _caches(options: argparse.Namespace) -> int:
    from tcworker.cache_commands.command import CacheOptions
    from tcworker.cache_commands.command import main as look_after_caches

    order = Order(options.order, cache=options.name)
    return look_after_caches(CacheOptions(order, options.config, options.state_dir, options.json))


def _check(options: argparse.Namespace) -> int:
    # Parts are made with the reactor that they would have; it never runs.
    from twisted.internet import reactor

    from tcworker.assemble import check_sources
    from tcworker.check import report
    from tcworker.config import load_files, so_far

    sources = load_files(options.config)
    try:
        checked = check_sources(reactor, sources)
    except ConfigError as error:
        return _refuse(error)
    for source in (source for source in sources if source.exposed is not None):
        print(f"warning: {source.warning}", file=sys.stderr)
    for line in report(so_far(checked.settings), checked.missing):
        print(line)
    return ProcessStatus.DONE


def _schema(options: argparse.Namespace) -> int:
    from twisted.internet import reactor

    from tcworker.config import load_files
    from tcworker.schemas import VERDICT, acceptance_of, as_text, verdict_as_text

    if options.platform == VERDICT:
        print(verdict_as_text())
        return ProcessStatus.DONE
    try:
        schemas = acceptance_of(reactor, load_files(options.config)).schemas
    except ConfigError as error:
        return _refuse(error)
    if options.platform is None:
        print("\n".join(schemas))
    elif options.platform in schemas:
        print(as_text(schemas[options.platform]))
    else:
        print(f"tcworker schema: found {options.platform}, expected {' or '.join(schemas)}", file=sys.stderr)
        return UNUSABLE
    return ProcessStatus.DONE


def _refuse(error: ConfigError) -> int:
    print(error, file=sys.stderr)
    return error.exit_status
