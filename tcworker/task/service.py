"""One claimed run: does what its machine decides, with its claim, log, sandbox and features."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, DeferredList, TimeoutError
from twisted.python.failure import Failure

from tcworker.errors import InternalError, MalformedPayload, TaskError
from tcworker.feature.registry import RunFeatures
from tcworker.interfaces import Credentials, IEngine, IResult, Reach, SandboxRecord
from tcworker.task.allowance import AFTER_RESOLUTION, Allowance
from tcworker.task.claim import Claim
from tcworker.task.facilities import Facilities
from tcworker.task.frame_lines import closing_lines
from tcworker.task.keeper import ClaimKeeper
from tcworker.task.machine import new_run_machine
from tcworker.task.outcome import as_task_error
from tcworker.task.own_artifacts import OwnArtifacts
from tcworker.task.preparation import Preparation
from tcworker.task.publication import Publication
from tcworker.task.remains import Remains
from tcworker.task.report import Report, record_of
from tcworker.task.reporter import LAST_TRY, Reporter
from tcworker.task.resolution import CLAIM_LOST, COMPLETED, DECIDED_BY_QUEUE, Resolution
from tcworker.task.sandbox import Sandbox
from tcworker.task.secret_forms import forms_of_credentials
from tcworker.task.verdict import Verdict, by_silence
from tcworker.waiting import Loose
from tcworker.worker_log import RunLogger

FOR_ALL = 0.9
"""The part of a worker's last seconds that its runs may use; then it must still close."""

REPORT_SHARE = 3
"""A report may take this part of it before the log is published beside it."""

GRACE_SHARE = 4
"""A killed task may take this part of the time that is left for everything: publishing needs the rest."""

MOST_OF_WHY = 300
"""Characters of what ended a run, in the worker's own log; its verdict has more."""


class TaskService(Service):
    """Runs one claim from its start to the end of its cleanup; implements L{tcworker.task.machine.RunActions}.

    @param out_of_reach: called when no later task could reach anything that is still to be published.
    @param only_cleanup_left: called when the queue has been told, or cannot be.
    @param ended: called last, with how the run ended.
    @param suspect: called with an error that makes the worker itself suspect.
    @raise ResourceUnavailable: its log cannot be begun. C{OSError}: nor its folder.
    """

    def __init__(
        self,
        claim: Claim,
        facilities: Facilities,
        *,
        out_of_reach: Callable[[TaskService], None],
        only_cleanup_left: Callable[[TaskService], None],
        ended: Callable[[TaskService, Resolution], None],
        suspect: Callable[[InternalError], None],
    ) -> None:
        self.claim = claim
        self._facilities = facilities
        self._out_of_reach = out_of_reach
        self._only_cleanup_left = only_cleanup_left
        self._ended = ended
        self._suspect = suspect
        clock = facilities.clock
        self._logger = RunLogger(claim.name)
        self._loose = Loose(self._logger)
        self._began = facilities.time.steady()
        self._folder = facilities.folder_of(claim)
        os.makedirs(self._folder, mode=0o700, exist_ok=True)
        self._allowance = Allowance(facilities.time, claim.taken_until)
        self._log = facilities.new_log(claim, self._folder, self.fail)
        haste = facilities.new_haste(self._allowance.left)
        self.context = facilities.new_context(claim, self._folder, self._log, self.fail, haste)
        queue = self.context.queue
        self._keeper = ClaimKeeper(claim, queue, clock, facilities.time, renewed=self._renewed, ended=self._claim_ended)
        self._report = Report(claim, Reporter(claim, queue, clock, self._allowance.left), facilities.state, self._loose)
        self._publication = Publication(self.context, haste, self._failed)
        self._own = OwnArtifacts(self.context, facilities.config, self._log, self._failed)
        self._preparation = Preparation(self.context, facilities, self._log, self._own)
        self._machine = new_run_machine(self)
        self._sandbox: Sandbox | None = None
        self._why_killed = ""
        self._resolution: Resolution | None = None
        self._uploaded = self._over = self._dropped = self._taken_away = self._going = False

    def startService(self) -> None:
        """Begin: the claim is in the state store before anything of the task happens."""
        super().startService()
        self._logger.info("claimed")
        self._keeper.start()
        self._begin_to(self._begin, "beginning the run")

    def stopService(self) -> Deferred[None]:
        """Drop whatever is still being done; the state store keeps what is owed."""
        super().stopService()
        self._keeper.stop()
        return self._loose.wait() if self._over else Deferred.fromCoroutine(self._drop())

    async def _drop(self) -> None:
        self._dropped = True
        await self._loose.cancel()
        if self._sandbox is not None:
            await self._sandbox.drop()
        await self._own.log.drop()
        await self._log.dispose()

    def mask_credentials(self, credentials: Credentials) -> None:
        """Mask new credentials of the worker's own in the run's log."""
        self._log.mask_exactly(forms_of_credentials(credentials))

    def shut_down(self, seconds: float) -> None:
        """The worker must be gone in so many seconds."""
        self._going = True
        self._machine.shutting_down(seconds)

    def look_again(self) -> None:
        """Timers cannot be trusted just now: see whether the claim is still there."""
        self._keeper.look_again()

    def _claim_ended(self, resolution: Resolution) -> None:
        if resolution in DECIDED_BY_QUEUE:
            self.taken_away(resolution)
        # What we have told it ourselves, the queue may say before it answers the report: that goes on, and learns it.
        elif not self._report.begun:
            self.taken_away(CLAIM_LOST)

    def taken_away(self, resolution: Resolution) -> None:
        """The queue ended the run: C{CANCELED}, C{DEADLINE_EXCEEDED} or C{CLAIM_LOST}; the first one counts."""
        if self._taken_away:
            # By pulse and by a refused reclaim, for example.
            return
        self._taken_away = True
        # Not who ended it: where nobody could prolong a claim, that was this worker.
        self._logger.info("the run is no longer this worker's: {resolution}", resolution=str(resolution))
        # Whoever noticed: there is no claim left to keep.
        self._keeper.stop()
        if resolution == CLAIM_LOST:
            self._allowance.claim_lost()
            self._machine.claim_lost()
        else:
            self._allowance.limit(AFTER_RESOLUTION)
            self._publication.hurry(self._allowance.left())
            self._machine.decided_by_queue(resolution)

    def fail(self, error: TaskError) -> None:
        """End the run with an error's resolution."""
        if isinstance(error, InternalError) and error.fatal:
            self._suspect(error)
        self._machine.error(error)

    def _failed(self, failure: Failure) -> None:
        if not failure.check(CancelledError):
            self.fail(as_task_error(failure, self.claim.name, "running the task"))

    def _begin_to(self, work: Callable[[], Coroutine[Deferred[Any], Any, None]], what: str) -> None:
        """Do something of what the machine decided, unless the run was dropped: then the next worker process does."""
        if not self._dropped:
            self._loose.run(work(), what)

    async def _begin(self) -> None:
        remembered = self._facilities.state.claimed(record_of(self.claim))
        try:
            engine, features = await self._read_and_remember(remembered)
        except MalformedPayload as error:
            self._machine.rejected(error)
        except Exception:
            self._failed(Failure())
        else:
            self._prepare(engine, features)
            self._machine.accepted()

    async def _read_and_remember(self, remembered: Deferred[None]) -> tuple[IEngine, RunFeatures]:
        # Reading takes as long as the disk does: do both at once.
        try:
            return await self._preparation.parts()
        finally:
            await remembered

    def _prepare(self, engine: IEngine, features: RunFeatures) -> None:
        self._publication.features = features
        self._sandbox = Sandbox(
            engine,
            features,
            self._machine,
            failed=self._failed,
            recorded=self._keep_sandbox,
            log=self._logger,
        )

    def _keep_sandbox(self, record: SandboxRecord) -> None:
        kept = self._facilities.state.sandboxed(self.claim.task_id, self.claim.run_id, record)
        self._loose.run(kept, "recording the sandbox")

    def _renewed(self, credentials: Credentials, taken_until: datetime) -> Deferred[None]:
        return Deferred.fromCoroutine(self._renew(credentials, taken_until))

    async def _renew(self, credentials: Credentials, taken_until: datetime) -> None:
        kept = self._facilities.state.reclaimed(self.claim.task_id, self.claim.run_id, taken_until, credentials)
        # A full disk must not cost a run that the queue has just let us keep.
        await self._try(kept, "keeping the credentials of a reclaim, which a restart would need,")
        self._allowance.taken_until = taken_until
        self.context.replace_credentials(credentials)

    # What the machine can have done.

    def load(self) -> None:
        """See L{RunActions.load}."""
        assert self._sandbox is not None
        self._own.log.keep_up()
        self._sandbox.load()

    def discard(self) -> None:
        """See L{RunActions.discard}."""
        if self._sandbox is not None:
            self._sandbox.discard()

    def kill(self, why: str) -> None:
        """See L{RunActions.kill}."""
        assert self._sandbox is not None
        # What a feature finds wrong with how it ended does not end it again.
        if self._sandbox.over:
            return
        if why != self._why_killed:
            self._why_killed = why
            self.context.log.warn(f"ending the task: {why}")
        self._sandbox.kill(why, min(self._facilities.config.kill_grace_secs, self._allowance.left() / GRACE_SHARE))

    def abort(self, why: str) -> None:
        """See L{RunActions.abort}."""
        assert self._sandbox is not None
        self._sandbox.abort(why)

    def explain(self, verdict: Verdict) -> None:
        """See L{RunActions.explain}; the operator wants to know too."""
        # A task has a say in the words. Masked first: half a secret would not be found.
        why = self._log.hide(verdict.why).partition("\n")[0][:MOST_OF_WHY]
        self._logger.info("ends by {cause}: {why}", cause=verdict.cause, why=why)
        self._facilities.note_cause(verdict.cause)
        self._own.explain(verdict)

    def hurry(self, seconds: float) -> None:
        """See L{RunActions.hurry}."""
        self._log.note_going(seconds)
        self._allowance.limit(seconds * FOR_ALL)
        self._publication.hurry(seconds * FOR_ALL)

    def only_log(self) -> None:
        """See L{RunActions.only_log}."""
        self._publication.only_log()

    def upload(self, result: IResult | None) -> None:
        """See L{RunActions.upload}."""
        self._preparation.stop()
        self._published_down_to(Reach.NOTHING)
        self._begin_to(lambda: self._upload(result), "uploading")

    async def _upload(self, result: IResult | None) -> None:
        if self._sandbox is not None:
            await self._sandbox.settled()
        self._own.verdict.saw(result)
        closing_lines(self.context, self._facilities.time.steady() - self._began)
        publishing = None if self._report.begun else self._begin_artifacts(result)
        if publishing is not None:
            # The worker may have to go meanwhile, and then report and log wait for no artifacts any more.
            either = [publishing, self._report.when_begun()]
            await DeferredList(either, fireOnOneCallback=True, consumeErrors=True)
        if self._report.begun:
            await self._told_soon()
        await self._own.publish()
        await (publishing or self._begin_artifacts(result))
        self._uploaded = True
        self._machine.uploaded()

    async def _told_soon(self) -> None:
        """Wait for the report, which is most wanted, but not for so long that nothing else could be published."""
        with suppress(TimeoutError):
            await self._report.when_told().addTimeout(self._allowance.left() / REPORT_SHARE, self._facilities.clock)

    def _begin_artifacts(self, result: IResult | None) -> Deferred[None]:
        publishing = Deferred.fromCoroutine(self._publish_artifacts(result))
        self._loose.run(publishing, "publishing artifacts")
        return publishing

    async def _publish_artifacts(self, result: IResult | None) -> None:
        await self._publication.artifacts(result)
        self._published_down_to(Reach.EACH_OTHER)

    def _published_down_to(self, reach: Reach) -> None:
        """Tell if what is left to publish is out of reach of tasks that reach so far."""
        if self._sandbox is not None and self._sandbox.reach == reach:
            self._out_of_reach(self)

    def report(self, resolution: Resolution) -> None:
        """See L{RunActions.report}."""
        self._resolution = resolution
        if resolution in DECIDED_BY_QUEUE:
            self.drop_report()
            self._machine.reported()
        elif not self._dropped:
            self._publication.report_first()
            self._loose.run(self._tell(resolution), "reporting")

    async def _tell(self, resolution: Resolution) -> None:
        await self._report.tell(resolution)
        if (ended := self._report.ended) in DECIDED_BY_QUEUE and not self._taken_away:
            # Nothing else came to say so; and of a completed run there is no verdict yet.
            self._resolution = ended
            self.taken_away(ended)
        else:
            self._reported()

    def _reported(self) -> None:
        if not self._report.owed:
            self._keeper.stop()
            self._allowance.limit(AFTER_RESOLUTION)
            if not self._uploaded:
                self._report.note()
        elif self._resolution == COMPLETED and not self._is_owed:
            # Of a failed run there is a verdict already, which says more.
            self._allowance.claim_lost()
            self._own.explain(by_silence(COMPLETED))
        self._machine.reported()

    def drop_report(self) -> None:
        """See L{RunActions.drop_report}."""
        self._report.drop()

    def clean_up(self) -> None:
        """See L{RunActions.clean_up}."""
        self._preparation.stop()
        self._keeper.stop()
        self._only_cleanup_left(self)
        self._begin_to(self._clean_up, "cleaning up")

    async def _clean_up(self) -> None:
        # Of a run that the queue ended while, or since nobody could tell it that, it was completed.
        await self._try(self._own.verdict.publish(), "publishing the verdict")
        await self._try(self._publication.features.cleanup(), "cleaning up after the features")
        if self._sandbox is not None:
            await self._try(self._sandbox.dispose(), "removing the sandbox")
        await self._try(self._own.log.close(), "ending the checkpoints of the log")
        await self._try(self._log.dispose(), "closing the log")
        await self._try(self._remains().forget(), "forgetting the run")
        self._machine.cleaned()

    def _remains(self) -> Remains:
        record = replace(
            record_of(self.claim),
            taken_until=self._allowance.taken_until,
            credentials=self.context.credentials,
            resolution=self._told,
            reported=not self._is_owed,
        )
        left = self._allowance.credentials_left()
        return Remains(record, self._facilities, unpublished=self._own.owed, credentials_left=left, going=self._going)

    @property
    def _told(self) -> Resolution | None:
        """How the run ended for the queue, or does when it is told; C{None} if nobody came to say so."""
        return CLAIM_LOST if self._report.owed and not self._is_owed else self._resolution

    @property
    def _is_owed(self) -> bool:
        """Whether the next start has something to tell the queue: after the claim nobody has."""
        return self._report.owed and self._allowance.claim_left() > LAST_TRY

    async def _try(self, step: Awaitable[None], what: str) -> None:
        try:
            await step
        except CancelledError:
            raise
        except Exception:
            self._logger.failure("{what} failed", what=what)

    def done(self, resolution: Resolution) -> None:
        """See L{RunActions.done}."""
        self._over = True
        owed = ", which the queue could not be told" if self._report.owed else ""
        self._logger.info("ended as {resolution}{owed}", resolution=str(resolution), owed=owed)
        self._ended(self, resolution)
