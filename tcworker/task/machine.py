"""The machine of one run: claimed, loading, running, uploading, reporting, cleanup, done.

It decides and does nothing else: what happens is in L{RunActions}, which must not raise (an output that raises would
drop the inputs that wait behind it) and which answer by calling inputs. Every state handles every input: the table is
at the foot of this module and, as one, in docs/architecture.md.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from automat import TypeMachineBuilder

from tcworker.errors import TaskError
from tcworker.interfaces import IResult
from tcworker.task.resolution import CLAIM_LOST, COMPLETED, DECIDED_BY_QUEUE, Resolution
from tcworker.task.verdict import BY_QUEUE, Verdict, by_error, by_result, by_shutdown


class RunInputs(Protocol):
    """What can happen to a run."""

    def accepted(self) -> None:
        """Its payload is one that this worker can run."""

    def rejected(self, error: TaskError) -> None:
        """Its payload is not."""

    def loaded(self) -> None:
        """The sandbox runs."""

    def finished(self, result: IResult) -> None:
        """The sandbox is over."""

    def aborted(self) -> None:
        """The sandbox is gone, and left no result."""

    def uploaded(self) -> None:
        """Artifacts and log are published, as far as they could be."""

    def reported(self) -> None:
        """The queue knows how the run ended, decided it itself, or will be told by the next worker process."""

    def cleaned(self) -> None:
        """Nothing of the run is left on this machine."""

    def decided_by_queue(self, resolution: Resolution) -> None:
        """It was cancelled, or its deadline is over."""

    def claim_lost(self) -> None:
        """The claim ran out: another worker may have the task by now."""

    def shutting_down(self, seconds: float) -> None:
        """The worker must be gone in so many seconds."""

    def error(self, error: TaskError) -> None:
        """A stage or a feature failed."""


class RunActions(Protocol):
    """What a machine can have done. None of these may raise."""

    def load(self) -> None:
        """Prepare and start the sandbox; answers C{loaded} or C{error}."""

    def discard(self) -> None:
        """Stop preparing; what is uploaded next waits for its end."""

    def kill(self, why: str) -> None:
        """End the sandbox, with a result."""

    def abort(self, why: str) -> None:
        """End the sandbox, without one; answers C{aborted}."""

    def upload(self, result: IResult | None) -> None:
        """Publish artifacts (of a result) and log; answers C{uploaded}."""

    def only_log(self) -> None:
        """From now on publish nothing but the log."""

    def hurry(self, seconds: float) -> None:
        """All that is still to be done must fit into so many seconds."""

    def explain(self, verdict: Verdict) -> None:
        """Say in the log, and beside it, why the run ends; the last one that comes before the log is sealed counts."""

    def report(self, resolution: Resolution) -> None:
        """Tell the queue, unless it knows already; answers C{reported}."""

    def drop_report(self) -> None:
        """Stop telling the queue."""

    def clean_up(self) -> None:
        """Remove all that the run left here; answers C{cleaned}."""

    def done(self, resolution: Resolution) -> None:
        """The run is over."""


@dataclass
class RunCore:
    """What the machine knows of a run.

    @ivar verdict: how it ends, C{None} as long as nothing went wrong.
    @ivar reported: whether the queue has been told.
    @ivar hurried: whether the worker must go.
    """

    actions: RunActions
    verdict: Verdict | None = None
    reported: bool = False
    hurried: bool = False

    @property
    def outcome(self) -> Resolution:
        """How it ends as things stand."""
        return COMPLETED if self.verdict is None else self.verdict.resolution

    def fail(self, verdict: Verdict) -> None:
        """Set how it ends, if nothing did before: the first one wins."""
        if self.verdict is None:
            self.verdict = verdict
            self.actions.explain(verdict)

    def obey(self, resolution: Resolution) -> None:
        """Take over what the queue decided, unless it has already been told something else."""
        if not self.reported:
            self.verdict = BY_QUEUE[resolution]
            self.actions.explain(self.verdict)

    def report_first(self, seconds: float) -> None:
        """The worker goes: what can be told before the uploads is told now."""
        self.fail(by_shutdown(seconds))
        self.hurry(seconds)

    def hurry(self, seconds: float) -> None:
        """All must fit into so many seconds."""
        self.hurried = True
        self.actions.hurry(seconds)
        self.report_exception()

    def report_exception(self) -> None:
        """Tell the queue before the uploads, if the worker goes and the queue then takes them.

        Of a completed or failed run it takes no artifacts any more (contracts of the queue, 1.9).
        """
        if self.hurried and self.outcome.state == "exception" and self.outcome not in DECIDED_BY_QUEUE:
            self.actions.report(self.outcome)


def _load(machine: RunInputs, core: RunCore) -> None:
    core.actions.load()


def _finish(machine: RunInputs, core: RunCore, result: IResult) -> None:
    if not result.success:
        core.fail(by_result(result))
    core.actions.upload(result)


def _upload_log(machine: RunInputs, core: RunCore) -> None:
    core.actions.only_log()
    core.actions.upload(None)


def _report(machine: RunInputs, core: RunCore) -> None:
    core.actions.report(core.outcome)


def _note_report(machine: RunInputs, core: RunCore) -> None:
    core.reported = True


def _clean_up(machine: RunInputs, core: RunCore) -> None:
    core.reported = True
    core.actions.clean_up()


def _done(machine: RunInputs, core: RunCore) -> None:
    core.actions.done(core.outcome)


def _obey_at_once(machine: RunInputs, core: RunCore, resolution: Resolution) -> None:
    core.obey(resolution)
    core.actions.upload(None)


def _obey_and_discard(machine: RunInputs, core: RunCore, resolution: Resolution) -> None:
    core.obey(resolution)
    core.actions.discard()
    core.actions.upload(None)


def _obey_and_kill(machine: RunInputs, core: RunCore, resolution: Resolution) -> None:
    core.obey(resolution)
    core.actions.kill(BY_QUEUE[resolution].why)


def _obey(machine: RunInputs, core: RunCore, resolution: Resolution) -> None:
    core.obey(resolution)


def _obey_unreported(machine: RunInputs, core: RunCore, resolution: Resolution) -> None:
    core.obey(resolution)
    core.actions.drop_report()
    core.actions.clean_up()


def _lose(machine: RunInputs, core: RunCore) -> None:
    core.obey(CLAIM_LOST)
    core.actions.upload(None)


def _lose_and_discard(machine: RunInputs, core: RunCore) -> None:
    core.obey(CLAIM_LOST)
    core.actions.discard()
    core.actions.upload(None)


def _lose_and_abort(machine: RunInputs, core: RunCore) -> None:
    core.obey(CLAIM_LOST)
    core.actions.abort(BY_QUEUE[CLAIM_LOST].why)


def _lose_artifacts(machine: RunInputs, core: RunCore) -> None:
    core.obey(CLAIM_LOST)
    core.actions.only_log()


def _lose_unreported(machine: RunInputs, core: RunCore) -> None:
    core.obey(CLAIM_LOST)
    core.actions.drop_report()
    core.actions.clean_up()


def _leave_at_once(machine: RunInputs, core: RunCore, seconds: float) -> None:
    core.report_first(seconds)
    core.actions.upload(None)


def _leave_and_discard(machine: RunInputs, core: RunCore, seconds: float) -> None:
    core.report_first(seconds)
    core.actions.discard()
    core.actions.upload(None)


def _leave_and_kill(machine: RunInputs, core: RunCore, seconds: float) -> None:
    core.report_first(seconds)
    core.actions.kill("the worker is shutting down")


def _hurry_uploads(machine: RunInputs, core: RunCore, seconds: float) -> None:
    core.hurry(seconds)


def _hurry(machine: RunInputs, core: RunCore, seconds: float) -> None:
    core.actions.hurry(seconds)


def _fail_at_once(machine: RunInputs, core: RunCore, error: TaskError) -> None:
    core.fail(by_error(error))
    core.actions.upload(None)


def _fail_and_discard(machine: RunInputs, core: RunCore, error: TaskError) -> None:
    core.fail(by_error(error))
    core.actions.discard()
    core.actions.upload(None)


def _fail_and_kill(machine: RunInputs, core: RunCore, error: TaskError) -> None:
    core.fail(by_error(error))
    core.actions.kill(str(error))


def _fail_uploads(machine: RunInputs, core: RunCore, error: TaskError) -> None:
    if core.verdict is None:
        core.fail(by_error(error))
        core.report_exception()


_builder = TypeMachineBuilder(RunInputs, RunCore)

claimed = _builder.state("claimed")
loading = _builder.state("loading")
running = _builder.state("running")
uploading = _builder.state("uploading")
reporting = _builder.state("reporting")
cleanup = _builder.state("cleanup")
done = _builder.state("done")

claimed.upon(RunInputs.accepted).to(loading)(_load)
claimed.upon(RunInputs.rejected).to(uploading)(_fail_at_once)
claimed.upon(RunInputs.decided_by_queue).to(uploading)(_obey_at_once)
claimed.upon(RunInputs.claim_lost).to(uploading)(_lose)
claimed.upon(RunInputs.shutting_down).to(uploading)(_leave_at_once)
claimed.upon(RunInputs.error).to(uploading)(_fail_at_once)

loading.upon(RunInputs.loaded).to(running).returns(None)
loading.upon(RunInputs.decided_by_queue).to(uploading)(_obey_and_discard)
loading.upon(RunInputs.claim_lost).to(uploading)(_lose_and_discard)
loading.upon(RunInputs.shutting_down).to(uploading)(_leave_and_discard)
loading.upon(RunInputs.error).to(uploading)(_fail_and_discard)

running.upon(RunInputs.finished).to(uploading)(_finish)
running.upon(RunInputs.aborted).to(uploading)(_upload_log)
running.upon(RunInputs.reported).loop()(_note_report)
running.upon(RunInputs.decided_by_queue).loop()(_obey_and_kill)
running.upon(RunInputs.claim_lost).loop()(_lose_and_abort)
running.upon(RunInputs.shutting_down).loop()(_leave_and_kill)
running.upon(RunInputs.error).loop()(_fail_and_kill)

uploading.upon(RunInputs.uploaded).to(reporting)(_report)
uploading.upon(RunInputs.reported).loop()(_note_report)
uploading.upon(RunInputs.decided_by_queue).loop()(_obey)
uploading.upon(RunInputs.claim_lost).loop()(_lose_artifacts)
uploading.upon(RunInputs.shutting_down).loop()(_hurry_uploads)
uploading.upon(RunInputs.error).loop()(_fail_uploads)

reporting.upon(RunInputs.reported).to(cleanup)(_clean_up)
reporting.upon(RunInputs.decided_by_queue).to(cleanup)(_obey_unreported)
reporting.upon(RunInputs.claim_lost).to(cleanup)(_lose_unreported)
reporting.upon(RunInputs.shutting_down).loop()(_hurry)

cleanup.upon(RunInputs.cleaned).to(done)(_done)
cleanup.upon(RunInputs.shutting_down).loop()(_hurry)

# What means nothing in a state: it is over, cannot be yet, or no longer matters.
_MEANINGLESS = {
    claimed: "loaded finished aborted uploaded reported cleaned",
    loading: "accepted rejected finished aborted uploaded reported cleaned",
    running: "accepted rejected loaded uploaded cleaned",
    uploading: "accepted rejected loaded finished aborted cleaned",
    reporting: "accepted rejected loaded finished aborted uploaded cleaned error",
    cleanup: "accepted rejected loaded finished aborted uploaded reported decided_by_queue claim_lost error",
    done: "accepted rejected loaded finished aborted uploaded reported cleaned decided_by_queue claim_lost"
    " shutting_down error",
}
for _state, _names in _MEANINGLESS.items():
    for _name in _names.split():
        _state.upon(getattr(RunInputs, _name)).loop().returns(None)

_machine: Callable[[RunCore], RunInputs] = _builder.build()


def new_run_machine(actions: RunActions) -> RunInputs:
    """A machine for one run that has just been claimed."""
    return _machine(RunCore(actions))
