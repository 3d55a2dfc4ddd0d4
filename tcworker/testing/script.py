"""The commands of L{tcworker.testing.platform.FakePlatform}: a script of steps, driven by a clock."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from tcworker.errors import (
    IntermittentTask,
    InternalError,
    MalformedPayload,
    ResourceUnavailable,
    TaskError,
    TaskFailed,
)
from tcworker.interfaces import ExitStatus
from tcworker.testing.files import Fifo, File, Files, Folder, Link

SIGKILL = 9
SIGTERM = 15

ERRORS: Mapping[str, type[TaskError]] = {
    error.reason: error
    for error in (MalformedPayload, TaskFailed, ResourceUnavailable, IntermittentTask, InternalError)
}
"""The errors that a script can break its sandbox with, by the queue's word for them."""


def task_error(reason: str, message: str) -> TaskError:
    """Make the error that a payload asks for."""
    return ERRORS[reason](message)


class Script:
    """One process that goes through its steps, each an object with one key:

      - C{{"print": text}} prints a line;
      - C{{"env": True}} prints every variable of the environment as C{NAME=value};
      - C{{"sleep": seconds}};
      - C{{"write": {"path", "text", "readable"?}}}, C{{"folder": {"path", "readable"?}}}, C{{"link": {"path", "to"}}},
        C{{"fifo": path}} make files, and C{{"remove": path}} takes away what is there;
      - C{{"ignore_term": True}}: from now on SIGTERM is ignored;
      - C{{"daemon": name}} leaves a process behind that ignores SIGTERM and never ends;
      - C{{"exit": status}} and C{{"signal": number}} end it, and so does C{{"out_of_memory": True}};
      - C{{"error": {"reason", "message"}}} breaks the sandbox.

    @ivar processes: the names of those that it left behind.
    @param output: given what is printed.
    @param ended: called once with how it ended, or with the error that broke the sandbox.
    """

    def __init__(
        self,
        clock: IReactorTime,
        steps: Sequence[Mapping[str, Any]],
        *,
        env: Mapping[str, str],
        files: Files,
        output: Callable[[bytes], None],
        ended: Callable[[ExitStatus | TaskError], None],
    ) -> None:
        self._clock = clock
        self._steps = list(steps)
        self._env, self._files = env, files
        self._output, self._ended = output, ended
        self._ignores_term = False
        self._timer: IDelayedCall | None = clock.callLater(0, self._go_on)
        self._over = False
        self.processes: list[str] = []
        self.out_of_memory = False

    def signal(self, number: int) -> None:
        """Send it a signal. SIGTERM ends it unless it is ignored, every other one does."""
        if not (number == SIGTERM and self._ignores_term):
            self._end(ExitStatus(None, number))

    def _go_on(self) -> None:
        self._timer = None
        while self._steps and self._timer is None and not self._over:
            self._step(self._steps.pop(0))
        if self._timer is None:
            self._end(ExitStatus(0))

    def _step(self, step: Mapping[str, Any]) -> None:
        ((name, value),) = step.items()
        try:
            self._WORDS[name](self, value)
        # A slip in a test's payload ends that task, and not the clock of all.
        except OSError as error:
            self._print(f"{step!r}: {error.strerror}")
            self._end(ExitStatus(1))
        except (KeyError, TypeError) as error:
            self._end(MalformedPayload(f"{step!r} is no step of a script: {error!r}"))

    def _end(self, how: ExitStatus | TaskError) -> None:
        if self._over:
            return
        self._over = True
        if self._timer is not None:
            self._timer.cancel()
        self._ended(how)

    def _print(self, text: str) -> None:
        self._output(text.encode() + b"\n")

    def _print_env(self, _: bool) -> None:
        for name, value in sorted(self._env.items()):
            self._print(f"{name}={value}")

    def _sleep(self, seconds: float) -> None:
        self._timer = self._clock.callLater(seconds, self._go_on)

    def _write(self, file: Mapping[str, Any]) -> None:
        self._files.make(file["path"], File(file["text"].encode(), file.get("readable", True)))

    def _folder(self, folder: Mapping[str, Any]) -> None:
        self._files.make(folder["path"], Folder(readable=folder.get("readable", True)))

    def _link(self, link: Mapping[str, str]) -> None:
        self._files.make(link["path"], Link(link["to"]))

    def _remove(self, path: str) -> None:
        self._files.remove(path)

    def _fifo(self, path: str) -> None:
        self._files.make(path, Fifo())

    def _ignore_term(self, yes: bool) -> None:
        self._ignores_term = yes

    def _daemon(self, name: str) -> None:
        self.processes.append(name)

    def _exit(self, status: int) -> None:
        self._end(ExitStatus(status))

    def _die(self, number: int) -> None:
        self._end(ExitStatus(None, number))

    def _run_out_of_memory(self, _: bool) -> None:
        self.out_of_memory = True
        self._die(SIGKILL)

    def _break(self, error: Mapping[str, str]) -> None:
        self._end(task_error(error["reason"], error["message"]))

    _WORDS: ClassVar[Mapping[str, Callable[[Script, Any], None]]] = {
        "print": _print,
        "env": _print_env,
        "sleep": _sleep,
        "write": _write,
        "folder": _folder,
        "link": _link,
        "fifo": _fifo,
        "remove": _remove,
        "ignore_term": _ignore_term,
        "daemon": _daemon,
        "exit": _exit,
        "signal": _die,
        "out_of_memory": _run_out_of_memory,
        "error": _break,
    }
