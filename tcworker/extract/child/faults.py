"""What is wrong with an archive, in words, and how its members are named there."""

from __future__ import annotations

from types import TracebackType

from tcworker.printable import printable

_LONGEST = 200


class ArchiveFault(Exception):
    """An archive or a member of it is not taken; the text says why, what else is known of the place comes before it."""

    def of(self, name: bytes) -> ArchiveFault:
        """The same, and of which member."""
        return ArchiveFault(f"{show(name)}: {self}")


class member:
    """While in here, what goes wrong is about a member: an L{ArchiveFault} says so, a C{OSError} has its name."""

    def __init__(self, name: bytes) -> None:
        self._name = name

    def __enter__(self) -> None:
        return

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if isinstance(error, ArchiveFault):
            raise error.of(self._name) from error
        if isinstance(error, OSError):
            error.filename = self._name


def show(name: bytes) -> str:
    """Write a member's name, whatever is in it, so that it harms no log."""
    text = printable(name.decode("utf-8", "backslashreplace")[: _LONGEST + 1])
    return f"{text[:_LONGEST]}…" if len(text) > _LONGEST else text or "''"
