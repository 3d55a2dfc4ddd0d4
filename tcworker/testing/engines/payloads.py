"""What the engine contract suite asks tasks to do, and how a shell does it."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

Payload: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True)
class Made:
    """Something that a task makes in its folder.

    @ivar kind: C{file}, C{unreadable} (a file whose owner may not read it), C{locked} (a folder with a file in it whose
        owner may not enter it), C{folder}, C{link}, C{fifo}, or C{nothing} (what was there goes).
    @ivar text: the file's content, or where the link leads.
    """

    kind: str
    text: str = ""


class Payloads(Protocol):
    """Payloads of one platform, each with one stated effect; and commands for L{IExecution.new_exec}.

    "Sleeps" means for an hour at least, and that SIGTERM ends it. A text that is printed becomes a line of its own.
    """

    def prints(self, text: str, status: int = 0) -> Payload:
        """It prints a text, unless that is empty, and ends with the status."""

    def prints_then_sleeps(self, text: str) -> Payload:
        """It prints a text and sleeps."""

    def prints_env(self) -> Payload:
        """It prints each variable of its environment as a line C{NAME=value}, and succeeds."""

    def ignores_sigterm(self, text: str) -> Payload:
        """It ignores SIGTERM, then prints a text, then sleeps."""

    def leaves_daemon(self, text: str, marker: str, sleeps: bool) -> Payload:
        """It leaves a daemon and then sleeps or succeeds.

        The daemon has forked twice, is in a session of its own, has the marker in its command line (so that
        L{EngineHarness.processes} finds it), ignores SIGTERM, prints the text and sleeps. The text is there before the
        task succeeds.
        """

    def makes(self, tree: Mapping[str, Made]) -> Payload:
        """It makes what the tree says, in order, by relative paths, and succeeds. Folders on the way are made."""

    def copying(self, stderr: str) -> Sequence[str]:
        """A command that copies its input to its output; at the input's end it prints a text to stderr and succeeds."""

    def exiting(self, status: int) -> Sequence[str]:
        """A command that ends with a status."""

    def sleeping(self) -> Sequence[str]:
        """A command that sleeps."""

    def printing_env(self) -> Sequence[str]:
        """A command that prints its environment, as L{prints_env} does."""

    def missing(self) -> Sequence[str]:
        """A command that does not exist."""


class ShellPayloads:
    """L{Payloads} for every platform that can run C{sh} with the usual tools (C{setsid}, C{mkfifo}, C{env}).

    @param wrap: makes a payload that runs a script by C{sh -c}.
    """

    def __init__(self, wrap: Callable[[str], Payload]) -> None:
        self._wrap = wrap

    def prints(self, text: str, status: int = 0) -> Payload:
        """See L{Payloads.prints}."""
        return self._wrap(f"{_print(text) if text else ':'}; exit {status}")

    def prints_then_sleeps(self, text: str) -> Payload:
        """See L{Payloads.prints_then_sleeps}."""
        return self._wrap(f"{_print(text)}; {_SLEEP}")

    def prints_env(self) -> Payload:
        """See L{Payloads.prints_env}."""
        return self._wrap("exec env")

    def ignores_sigterm(self, text: str) -> Payload:
        """See L{Payloads.ignores_sigterm}."""
        return self._wrap(f"trap '' TERM; {_print(text)}; {_SLEEP}")

    def leaves_daemon(self, text: str, marker: str, sleeps: bool) -> Payload:
        """See L{Payloads.leaves_daemon}."""
        life = f"trap '' TERM; {_print(text)}; : > up-{marker}; while :; do sleep 1; done"
        wait = f"while [ ! -e up-{marker} ]; do sleep 0.01; done"
        daemon = f"( setsid sh -c {shlex.quote(life)} {marker} & )"
        return self._wrap("\n".join([daemon, wait, _SLEEP if sleeps else "exit 0"]))

    def makes(self, tree: Mapping[str, Made]) -> Payload:
        """See L{Payloads.makes}."""
        lines = [_make(path, made) for path, made in tree.items()]
        ways = {path.rpartition("/")[0] for path in tree} - {""}
        folders = [f"mkdir -p {shlex.quote(folder)}" for folder in sorted(ways)]
        return self._wrap("set -e\n" + "\n".join(folders + lines))

    def copying(self, stderr: str) -> Sequence[str]:
        """See L{Payloads.copying}."""
        return ["sh", "-c", f"cat; printf %s {shlex.quote(stderr)} >&2"]

    def exiting(self, status: int) -> Sequence[str]:
        """See L{Payloads.exiting}."""
        return ["sh", "-c", f"exit {status}"]

    def sleeping(self) -> Sequence[str]:
        """See L{Payloads.sleeping}."""
        return ["sleep", "3600"]

    def printing_env(self) -> Sequence[str]:
        """See L{Payloads.printing_env}."""
        return ["env"]

    def missing(self) -> Sequence[str]:
        """See L{Payloads.missing}."""
        return ["./no-such-command"]


_SLEEP = "exec sleep 3600"

_SHELL: Mapping[str, str] = {
    "file": "printf %s {text} > {path}",
    "unreadable": "printf %s {text} > {path}; chmod 0 {path}",
    "locked": "mkdir {path}; : > {path}/inside; chmod 0 {path}",
    "folder": "mkdir -p {path}",
    "link": "ln -s {text} {path}",
    "fifo": "mkfifo {path}",
    "nothing": "rm -r {path}",
}


def _print(text: str) -> str:
    return f"printf '%s\\n' {shlex.quote(text)}"


def _make(path: str, made: Made) -> str:
    return _SHELL[made.kind].format(path=shlex.quote(path), text=shlex.quote(made.text))
