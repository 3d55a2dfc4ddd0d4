"""The arguments of C{tcworker server}, whose defaults are those of L{ServerOptions}."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from dataclasses import fields

from tcworker import arguments
from tcworker.embedded.times import Times
from tcworker.server.options import ServerOptions

LONGEST = 30 * 24 * 3600
"""Seconds: temporary credentials, which some of these are for, are good for no longer than 31 days."""

_DEFAULTS = ServerOptions()


def add_arguments(parser: ArgumentParser) -> None:
    """Add all of them; L{options_of} reads what they bring."""
    parser.add_argument("--host", help="the name or address to listen at (%(default)s)")
    parser.add_argument("--port", type=arguments.port, help="0 for any that is free (%(default)s)")
    parser.add_argument(
        "--root-url", type=arguments.root_url, metavar="URL", help="what clients call it by, behind a proxy"
    )
    parser.add_argument("--data", metavar="DIR", help="keep everything in DIR; by default all is gone at the end")
    parser.add_argument(
        "--pulse",
        metavar="URL",
        help="send messages to the RabbitMQ at amqp://user@host; the password is that of PULSE_PASSWORD",
    )
    parser.add_argument(
        "--time",
        dest="times",
        action="append",
        type=time,
        metavar="NAME=SECONDS",
        help="how long something takes or lasts, for example poll=1; docs/server.md lists them",
    )
    parser.add_argument("--client-id", metavar="ID", help="of who may do everything (%(default)s)")
    parser.add_argument("--access-token-file", metavar="FILE", help="holds the access token of that client")
    parser.add_argument("--static-clients", metavar="FILE", help="holds further clients with their tokens and scopes")
    parser.add_argument("--tunnel-secret-file", metavar="FILE", help="holds what a websocktunnel knows its clients by")
    worker = parser.add_argument_group("the worker inside")
    worker.add_argument("--no-worker", dest="worker", action="store_false", help="run none: others claim the tasks")
    worker.add_argument("--pool", type=arguments.pool, help="whose tasks it runs (%(default)s)")
    worker.add_argument("--capacity", type=arguments.count, metavar="N", help="run N tasks at a time (1)")
    worker.add_argument("--worker-config", metavar="FILE", help="more settings, as for tcworker worker")
    parser.set_defaults(**{one.name: getattr(_DEFAULTS, one.name) for one in fields(ServerOptions)} | {"times": []})


def options_of(read: Namespace) -> ServerOptions:
    """Give what a command line asks for."""
    given = {one.name: getattr(read, one.name) for one in fields(ServerOptions)}
    return ServerOptions(**given | {"times": Times(**dict(read.times))})


def time(text: str) -> tuple[str, float]:
    """Read C{NAME=SECONDS}; gives the field of L{Times} and its value."""
    name, _, value = text.partition("=")
    names = [one.name.replace("_", "-") for one in fields(Times)]
    if name not in names:
        raise ArgumentTypeError(f"{text} is not NAME=SECONDS; the names are {', '.join(names)}")
    try:
        seconds = float(value)
    except ValueError:
        seconds = 0
    if not 0 < seconds <= LONGEST:
        raise ArgumentTypeError(f"{text} is not NAME=SECONDS, with more than 0 seconds and no more than {LONGEST}")
    return name.replace("-", "_"), seconds
