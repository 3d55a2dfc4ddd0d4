"""What of C{payload.artifacts} cannot be, as far as the payload alone tells it."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from datetime import timedelta

from tcworker.feature.artifacts.wanted import Wanted
from tcworker.interfaces import ITaskContext
from tcworker.task.claim import write_date
from tcworker.task.forms import is_artifact_name


def judge(wanted: Sequence[Wanted], context: ITaskContext) -> list[str]:
    """Give a line for each thing that cannot be."""
    return [*_out_of_bounds(wanted, context), *_repeated(wanted), *_unnameable(wanted), *_untypeable(wanted)]


def _out_of_bounds(wanted: Sequence[Wanted], context: ITaskContext) -> Iterator[str]:
    deadline, expiry = write_date(context.deadline), write_date(context.expires)
    for index, entry in enumerate(wanted):
        found = f"payload.artifacts[{index}].expires: found {write_date(entry.expires)}: artifact '{entry.name}'"
        # The distance, for a second before or after the first or last of all dates is no date.
        if context.deadline - entry.expires > timedelta(seconds=1):
            yield f"{found} expires before task deadline, {deadline}"
        elif entry.expires - context.expires > timedelta(seconds=1):
            yield f"{found} expires after task expiry, {expiry}"


def _repeated(wanted: Sequence[Wanted]) -> Iterator[str]:
    first: dict[Hashable, int] = {}
    for index, entry in enumerate(wanted):
        # Two folders may well share a beginning; one folder twice under the same cannot.
        key = (entry.named(""), entry.located()) if entry.directory else entry.name
        other = first.setdefault(key, index)
        if other != index:
            yield f"payload.artifacts[{index}]: has the name '{entry.name}' of payload.artifacts[{other}]"


def _unnameable(wanted: Sequence[Wanted]) -> Iterator[str]:
    for index, entry in enumerate(wanted):
        if not is_artifact_name(entry.name):
            place = f"payload.artifacts[{index}]"
            yield f"{place}: no artifact can have the name {entry.name!r}; give it one in printable ASCII"


def _untypeable(wanted: Sequence[Wanted]) -> Iterator[str]:
    for index, entry in enumerate(wanted):
        kind = entry.content_type or ""
        if not (kind.isascii() and kind.isprintable()):
            yield f"payload.artifacts[{index}].contentType: found {kind!r}, expected printable ASCII"
