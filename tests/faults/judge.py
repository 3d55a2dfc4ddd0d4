"""What became of tasks, held against what was to become of them."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from tcworker.interfaces import JSON
from tcworker.task.claim import read_date
from tests.faults.tasks import ChaosTask
from tests.integration.task_client import Outcome, TaskClient

LOGS = {"public/logs/live.log", "public/logs/live_backing.log"}

VERDICT = "public/logs/verdict.json"

_PUBLISHED = {"log": LOGS, "verdict": {VERDICT}}
"""What there must be of a run that was given away when it had begun."""

MAY_BE_THERE = {"public/monitoring/resource-usage.json", "public/logs/checkpoint.log"}
"""The second of runs that lasted for a minute, for all that went wrong."""

GIVEN_AWAY = {"exception/worker-shutdown", "exception/claim-expired"}
"""How a run may end that is the fault of no task; the queue gives it another run then."""

Explains = Callable[[str, JSON], bool]
"""Whether there is a reason that a run, by its task, was given away."""

_ABOUT_A_RUN = re.compile(r"\[(?P<run>[\w-]{22}/\d+)\]")

_WHY_THERE_IS_NONE = re.compile(r"its (?P<what>log|verdict) (?:is not|cannot be|was not) published")


def explained(lost: Collection[tuple[str, int]], kills: Sequence[float]) -> Explains:
    """Runs whose claim's answer got lost, and those in the hands of a worker that was killed.

    @param kills: when, in seconds since 1970.
    """

    def explains(task_id: str, run: JSON) -> bool:
        started, resolved = (read_date(run[name]).timestamp() for name in ("started", "resolved"))
        # A claimWork may still be answered while its worker dies.
        return (task_id, run["runId"]) in lost or any(started - 1 <= kill <= resolved for kill in kills)

    return explains


def said_to_lack(outputs: Iterable[str]) -> Mapping[str, Collection[str]]:
    """Find in what workers printed of which runs, C{taskId/runId}, they say why there is no C{log} or C{verdict}."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for line in (line for output in outputs for line in output.splitlines()):
        if (why := _WHY_THERE_IS_NONE.search(line)) and (about := _ABOUT_A_RUN.search(line)):
            found[about["run"]].add(why["what"])
    return found


class Judge:
    """Finds what is wrong with the end of a task.

    @param journal: in which each run noted that it had begun.
    @param explains: what explains that runs were given away.
    @param said: of which runs, C{taskId/runId}, the workers say why there is no C{log} or no C{verdict}.
    @ivar given_away: how many runs were given away, by what there is of them.
    """

    def __init__(
        self, client: TaskClient, journal: Path, explains: Explains, said: Mapping[str, Collection[str]]
    ) -> None:
        self._client = client
        self._explains = explains
        self._said = said
        self._begun = Counter(journal.read_text().split()) if journal.exists() else Counter()
        self.given_away: Counter[str] = Counter()

    async def faults(self, task: ChaosTask, runs: Sequence[JSON]) -> Sequence[str]:
        """All that is wrong, in words."""
        found = [fault for place in range(len(runs)) for fault in await self._of_run(task, runs, place)]
        return [f"{task.task_id}: {fault}" for fault in found]

    async def _of_run(self, task: ChaosTask, runs: Sequence[JSON], place: int) -> Sequence[str]:
        run = runs[place]
        name = f"{task.task_id}/{run['runId']}"
        try:
            outcome = await self._client.seen(task.task_id, runs, place)
        except AssertionError as error:
            return [f"run {run['runId']} lists what cannot be had: {error}"]
        found = [f"it was begun {self._begun[name]} times"] if self._begun[name] > 1 else []
        if place == len(runs) - 1:
            found += [*_of_last(task, outcome), *await self._of_contents(task, outcome, run["runId"])]
        elif run["reasonResolved"] in task.runs_again:
            found += _of_verdict(task, outcome)
        elif outcome.resolution in GIVEN_AWAY and self._explains(task.task_id, run):
            found += self._of_given_away(task, outcome, name)
        else:
            found.append(f"it ended as {outcome.resolution}, and nothing explains that")
        return [f"run {run['runId']} of {len(runs)}: {fault}" for fault in found]

    async def _of_contents(self, task: ChaosTask, outcome: Outcome, run_id: int) -> Sequence[str]:
        return [
            fault
            for name, expected in task.artifacts.items()
            if expected is not None and outcome.artifacts.get(name, {}).get("storageType") in ("s3", "object")
            for fault in await self._of_content(task.task_id, run_id, name, expected)
        ]

    async def _of_content(self, task_id: str, run_id: int, name: str, expected: bytes) -> Sequence[str]:
        try:
            published = await self._client.content(task_id, run_id, name)
        except AssertionError as error:
            return [f"{name} cannot be had: {error}"]
        return [] if published == expected else [f"{name} has {len(published)} bytes of {len(expected)}"]

    def _of_given_away(self, task: ChaosTask, outcome: Outcome, name: str) -> Iterator[str]:
        """There are a log and a verdict of what had begun, or it is said why there are none."""
        missing = [what for what, names in _PUBLISHED.items() if not names <= set(outcome.artifacts)]
        if not missing:
            self.given_away["with log and verdict"] += 1
            yield from _of_what_it_printed(task, outcome)
            yield from _of_death(task, outcome)
        elif len(missing) == len(_PUBLISHED) and not self._begun[name]:
            self.given_away["before they were begun"] += 1
        elif set(missing) <= set(self._said.get(name, ())):
            self.given_away["with a reason for having none"] += 1
        else:
            self.given_away["with nothing"] += 1
            yield f"it was given away, lacks its {' and '.join(missing)}, and nobody says why: {outcome.log[-300:]!r}"


def _of_last(task: ChaosTask, outcome: Outcome) -> Iterator[str]:
    if outcome.resolution != task.resolution:
        yield f"it ended as {outcome.resolution}, not {task.resolution}: {outcome.errors}"
    yield from _of_log(task, outcome)
    yield from _of_names(task, outcome)
    yield from _of_verdict(task, outcome)


def _printed(task: ChaosTask, outcome: Outcome) -> Sequence[str]:
    wanted = set(task.printed)
    return [line for line in outcome.log.splitlines() if line in wanted]


def _of_log(task: ChaosTask, outcome: Outcome) -> Iterator[str]:
    if (found := _printed(task, outcome)) != list(task.printed):
        yield f"the log has {len(found)} lines of {len(task.printed)}: …{outcome.log[-300:]!r}"


def _of_what_it_printed(task: ChaosTask, outcome: Outcome) -> Iterator[str]:
    found = _printed(task, outcome)
    if found != list(task.printed[: len(found)]):
        yield f"the log is none of the task's: …{outcome.log[-300:]!r}"


def _of_verdict(task: ChaosTask, outcome: Outcome) -> Iterator[str]:
    """Of a run that the task ended by itself, or of its last one."""
    verdict = outcome.verdict
    if (verdict is None) != (outcome.resolution == "completed"):
        yield f"the verdict of one that is {outcome.resolution} is {verdict}"
    elif verdict is not None and verdict["cause"] != task.cause and "the worker died" not in verdict["message"]:
        yield f"its verdict has the cause {verdict['cause']}, not {task.cause}: {verdict}"


def _of_death(task: ChaosTask, outcome: Outcome) -> Iterator[str]:
    """Of one whose worker was killed: perhaps when it knew how the run ended, and could not say so."""
    verdict = outcome.verdict
    if verdict["whose"] != "worker" and verdict["cause"] != task.cause:
        yield f"its verdict blames the task: {verdict}"


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
