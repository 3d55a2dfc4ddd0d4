"""What became of tasks, held against what was to become of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path

from tcworker.interfaces import JSON
from tcworker.task.claim import read_date
from tests.faults.tasks import ChaosTask
from tests.integration.task_client import Outcome, TaskClient

LOGS = {"public/logs/live.log", "public/logs/live_backing.log"}

MAY_BE_THERE = {"public/monitoring/resource-usage.json", "public/logs/checkpoint.log"}
"""The second of runs that lasted for a minute, for all that went wrong."""

GIVEN_AWAY = {"exception/worker-shutdown", "exception/claim-expired"}
"""How a run may end that is the fault of no task; the queue gives it another run then."""

Explains = Callable[[str, JSON], bool]
"""Whether there is a reason that a run, by its task, was given away."""


def explained(lost: Collection[tuple[str, int]], kills: Sequence[float]) -> Explains:
    """Runs whose claim's answer got lost, and those in the hands of a worker that was killed.

    @param kills: when, in seconds since 1970.
    """

    def explains(task_id: str, run: JSON) -> bool:
        started, resolved = (read_date(run[name]).timestamp() for name in ("started", "resolved"))
        # A claimWork may still be answered while its worker dies.
        return (task_id, run["runId"]) in lost or any(started - 1 <= kill <= resolved for kill in kills)

    return explains


class Judge:
    """Finds what is wrong with the end of a task.

    @param journal: in which each run noted that it had begun.
    @param explains: what explains that runs were given away.
    """

    def __init__(self, client: TaskClient, journal: Path, explains: Explains) -> None:
        self._client = client
        self._explains = explains
        self._begun = Counter(journal.read_text().split()) if journal.exists() else Counter()

    async def faults(self, task: ChaosTask, runs: Sequence[JSON]) -> Sequence[str]:
        """All that is wrong, in words."""
        outcome = await self._client.seen(task.task_id, runs)
        found = [*self._of_runs(task, runs), *_of_log(task, outcome), *_of_names(task, outcome)]
        if outcome.resolution != task.resolution:
            found.append(f"ended as {outcome.resolution}, not {task.resolution}: {outcome.errors}")
        for name, expected in task.artifacts.items():
            if expected is not None and outcome.artifacts.get(name, {}).get("storageType") in ("s3", "object"):
                found.extend(await self._of_content(task.task_id, runs[-1]["runId"], name, expected))
        return [f"{task.task_id}: {fault}" for fault in found]

    async def _of_content(self, task_id: str, run_id: int, name: str, expected: bytes) -> Sequence[str]:
        try:
            published = await self._client.content(task_id, run_id, name)
        except AssertionError as error:
            return [f"{name} cannot be had: {error}"]
        return [] if published == expected else [f"{name} has {len(published)} bytes of {len(expected)}"]

    def _of_runs(self, task: ChaosTask, runs: Sequence[JSON]) -> Iterator[str]:
        for run in runs:
            if (times := self._begun[f"{task.task_id}/{run['runId']}"]) > 1:
                yield f"run {run['runId']} was begun {times} times"
        for run in runs[:-1]:
            how = f"{run['state']}/{run['reasonResolved']}"
            given_away = how in GIVEN_AWAY and self._explains(task.task_id, run)
            if not given_away and run["reasonResolved"] not in task.runs_again:
                yield f"run {run['runId']} of {len(runs)} ended as {how}, and nothing explains that"


def _of_log(task: ChaosTask, outcome: Outcome) -> Iterator[str]:
    wanted = set(task.printed)
    found = [line for line in outcome.log.splitlines() if line in wanted]
    if found != list(task.printed):
        yield f"the log has {len(found)} lines of {len(task.printed)}: …{outcome.log[-300:]!r}"


def _of_names(task: ChaosTask, outcome: Outcome) -> Iterator[str]:
    missing = {*LOGS, *task.artifacts} - set(outcome.artifacts)
    if missing:
        yield f"not published: {sorted(missing)}"
    more = set(outcome.artifacts) - {*LOGS, *MAY_BE_THERE, *task.artifacts}
    if more and outcome.resolution == "completed":
        yield f"published beside what was asked for: {sorted(more)}"
    for name, expected in task.artifacts.items():
        stored = outcome.artifacts.get(name, {}).get("storageType")
        if (stored == "error") != (expected is None) and name not in missing:
            yield f"{name} is of kind {stored}"
