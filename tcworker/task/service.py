"""One claimed run: does what its machine decides, with its claim, log, sandbox and features."""

from __future__ import annotations

import os
import shutil
from collections.abc import Awaitable, Callable, Coroutine
from datetime import datetime
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, gatherResults, succeed
from twisted.python.failure import Failure

from tcworker.errors import InternalError, TaskError
from tcworker.feature.registry import RunFeatures
from tcworker.interfaces import Credentials, GzippedArtifact, IResult, ITaskContext, LinkArtifact, Reach, SandboxRecord
from tcworker.state import RunRecord
from tcworker.task.allowance import AFTER_RESOLUTION, Allowance
from tcworker.task.claim import Claim
from tcworker.task.facilities import Facilities
from tcworker.task.keeper import ClaimKeeper
from tcworker.task.log_names import LogNames
from tcworker.task.machine import new_run_machine
from tcworker.task.opening import closing_lines, opening_lines
from tcworker.task.outcome import as_task_error
from tcworker.task.reporter import Reporter
from tcworker.task.resolution import CLAIM_LOST, DECIDED_BY_QUEUE, Resolution
from tcworker.task.sandbox import Sandbox
from tcworker.waiting import Loose, OneShot
from tcworker.worker_log import RunLogger

LOG_TYPE = "text/plain; charset=utf-8"


class TaskService(Service):
    """Runs one claim from its start to the end of its cleanup; implements L{tcworker.task.machine.RunActions}.

    @param out_of_reach: called when no later task could reach anything that is still to be published.
    @param all_uploaded: called when the run is reported and only the cleanup is left.
    @param ended: called last, with how the run ended.
    @param suspect: called with an error that makes the worker itself suspect.
    """

    def __init__(
        self,
        claim: Claim,
        facilities: Facilities,
        *,
        out_of_reach: Callable[[TaskService], None],
        all_uploaded: Callable[[TaskService], None],
        ended: Callable[[TaskService, Resolution], None],
        suspect: Callable[[InternalError], None],
    ) -> None:
        self.claim = claim
        self._facilities = facilities
        self._out_of_reach = out_of_reach
        self._all_uploaded = all_uploaded
        self._ended = ended
        self._suspect = suspect
        self._logger = RunLogger(claim.name)
        self._loose = Loose(self._logger)
        self._began = facilities.clock.seconds()
        self._folder = facilities.folder_of(claim)
        os.makedirs(self._folder, mode=0o700, exist_ok=True)
        self._allowance = Allowance(facilities.clock, claim.taken_until)
        self._log = facilities.new_log(self._folder, self.fail)
        self.context: ITaskContext = facilities.new_context(
            claim, self._folder, self._log, self.fail, self._allowance.left
        )
        self._keeper = ClaimKeeper(
            claim, self.context.queue, facilities.clock, renewed=self._renewed, ended=self.taken_away
        )
        self._reporter = Reporter(claim, self.context.queue, facilities.clock, self._allowance.left)
        self._machine = new_run_machine(self)
        self._features = RunFeatures(self.context, {}, {})
        self._log_names = LogNames()
        self._sandbox: Sandbox | None = None
        self._why: str | None = None
        self._only_log = False
        self._uploads: Deferred[None] | None = None
        self._report: OneShot[None] | None = None
        self._reporting: Deferred[None] | None = None
        self._owed = False
        self._uploaded = False
        self._over = self._dropped = False

    def startService(self) -> None:
        """Begin: the claim is in the state store before anything of the task happens."""
        super().startService()
        self._logger.info("claimed")
        self._keeper.start()
        self._loose.run(self._begin(), "beginning the run")

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
        await self._log.dispose()

    def shut_down(self, seconds: float) -> None:
        """The worker must be gone in so many seconds."""
        self._machine.shutting_down(seconds)

    def fail(self, error: TaskError) -> None:
        """End the run with an error's resolution."""
        if isinstance(error, InternalError) and error.fatal:
            self._suspect(error)
        self._machine.error(error)

    def _begin_to(self, work: Callable[[], Coroutine[Deferred[Any], Any, None]], what: str) -> Deferred[None]:
        """Do something of what the machine decided, unless the run was dropped: then the next worker process does."""
        if self._dropped:
            return succeed(None)
        begun = Deferred.fromCoroutine(work())
        self._loose.run(begun, what)
        return begun

    def _failed(self, failure: Failure) -> None:
        if not failure.check(CancelledError):
            self.fail(as_task_error(failure, self.claim.name, "running the task"))

    async def _begin(self) -> None:
        remembered = self._facilities.state.claimed(self._record())
        try:
            await self._read_and_remember(remembered)
        except Exception:
            self._failed(Failure())
        else:
            self._machine.accepted()

    async def _read_and_remember(self, remembered: Deferred[None]) -> None:
        try:
            opening_lines(self.context, self._facilities.config)
            self._judge()
        finally:
            await remembered

    def _record(self) -> RunRecord:
        return RunRecord(
            task_id=self.claim.task_id,
            run_id=self.claim.run_id,
            taken_until=self.claim.taken_until,
            deadline=self.claim.deadline,
            credentials=self.claim.credentials,
        )

    def _judge(self) -> None:
        """Decide who runs the payload. Raises L{MalformedPayload}."""
        platform = self._facilities.platform_for(self.claim.task.get("payload"))
        self._log_names = LogNames.from_payload(self.context.payload)
        self._features = self._facilities.features.for_task(self.context)
        self._sandbox = Sandbox(
            platform,
            self._features,
            self.context,
            self._machine,
            failed=self._failed,
            recorded=self._keep_sandbox,
            log=self._logger,
        )

    def _keep_sandbox(self, record: SandboxRecord) -> None:
        kept = self._facilities.state.sandboxed(self.claim.task_id, self.claim.run_id, record)
        self._loose.run(kept, "recording the sandbox")

    async def _renew(self, credentials: Credentials, taken_until: datetime) -> None:
        await self._facilities.state.reclaimed(self.claim.task_id, self.claim.run_id, taken_until, credentials)
        self._allowance.taken_until = taken_until
        self.context.replace_credentials(credentials)  # type: ignore[attr-defined]  # it is the worker's own

    def _renewed(self, credentials: Credentials, taken_until: datetime) -> Deferred[None]:
        return Deferred.fromCoroutine(self._renew(credentials, taken_until))

    def taken_away(self, resolution: Resolution) -> None:
        """The queue ended the run: C{CANCELED}, C{DEADLINE_EXCEEDED} or C{CLAIM_LOST}."""
        self._logger.info("the queue ended the run: {resolution}", resolution=str(resolution))
        if resolution == CLAIM_LOST:
            self._allowance.claim_lost()
            self._machine.claim_lost()
        else:
            self._allowance.limit(AFTER_RESOLUTION)
            self._machine.decided_by_queue(resolution)

    # What the machine can have done.

    def load(self) -> None:
        """See L{RunActions.load}."""
        assert self._sandbox is not None
        self._sandbox.load()

    def discard(self) -> None:
        """See L{RunActions.discard}."""
        if self._sandbox is not None:
            self._sandbox.discard()

    def kill(self, why: str) -> None:
        """See L{RunActions.kill}."""
        assert self._sandbox is not None
        self.context.log.warn(f"ending the task: {why}")
        self._sandbox.kill(why, min(self._facilities.config.kill_grace_secs, self._allowance.left() / 4))

    def abort(self, why: str) -> None:
        """See L{RunActions.abort}."""
        assert self._sandbox is not None
        self._sandbox.abort(why)

    def explain(self, why: str) -> None:
        """See L{RunActions.explain}: it becomes the log's last lines."""
        self._why = why

    def hurry(self, seconds: float) -> None:
        """See L{RunActions.hurry}."""
        self._allowance.limit(seconds)

    def only_log(self) -> None:
        """See L{RunActions.only_log}."""
        self._only_log = True
        if self._uploads is not None:
            self._uploads.cancel()

    def upload(self, result: IResult | None) -> None:
        """See L{RunActions.upload}."""
        self._tell_out_of_reach(Reach.NOTHING)
        self._begin_to(lambda: self._upload(result), "uploading")

    async def _upload(self, result: IResult | None) -> None:
        if self._sandbox is not None:
            await self._sandbox.settled()
        closing_lines(self.context, self._facilities.clock.seconds() - self._began)
        if self._report is not None:
            await self._report.wait()
            await self._publish_log()
            await self._publish_artifacts(result)
        else:
            await self._publish_artifacts(result)
            await self._publish_log()
        self._uploaded = True
        self._machine.uploaded()

    async def _publish_artifacts(self, result: IResult | None) -> None:
        if result is not None and not self._only_log:
            self._uploads = self._features.upload(result).addErrback(self._failed)
            await self._uploads
        self._tell_out_of_reach(Reach.EACH_OTHER)

    def _tell_out_of_reach(self, reach: Reach) -> None:
        if self._sandbox is not None and self._sandbox.reach == reach:
            self._out_of_reach(self)

    async def _publish_log(self) -> None:
        if self._why is not None:
            self._log.error(self._why)
        try:
            await self._publish_sealed_log()
        except Exception:
            self._failed(Failure())

    async def _publish_sealed_log(self) -> None:
        sealed = await self._log.seal()
        expires = self.context.expires
        backing = GzippedArtifact(self._log_names.backing, expires, sealed.file, LOG_TYPE, sealed.length)
        live = LinkArtifact(self._log_names.live, expires, self._log_names.backing, LOG_TYPE)
        await gatherResults([self.context.publish(backing), self.context.publish(live)], consumeErrors=True)

    def report(self, resolution: Resolution) -> None:
        """See L{RunActions.report}."""
        if resolution in DECIDED_BY_QUEUE:
            self.drop_report()
            self._machine.reported()
            return
        if self._report is None:
            self._report = OneShot()
            self._reporting = self._begin_to(lambda: self._tell(resolution), "reporting")
        self._report.wait().addCallback(lambda _: self._machine.reported())

    async def _tell(self, resolution: Resolution) -> None:
        assert self._report is not None
        run = (self.claim.task_id, self.claim.run_id)
        # Written while the queue is told: whoever dies in between tells it once more, which the queue takes.
        self._loose.run(self._facilities.state.decided(*run, resolution), "recording the outcome")
        try:
            self._owed = not await self._reporter.report(resolution)
            if not self._owed:
                self._keeper.stop()
                self._allowance.limit(AFTER_RESOLUTION)
                self._note_report(*run)
        finally:
            self._report.succeed(None)

    def _note_report(self, task_id: str, run_id: int) -> None:
        """Remember that the queue knows, if that is long before the run is forgotten."""
        if not self._uploaded:
            self._loose.run(self._facilities.state.reported(task_id, run_id), "recording the report")

    def drop_report(self) -> None:
        """See L{RunActions.drop_report}."""
        if self._reporting is not None:
            self._reporting.cancel()
        self._owed = False

    def clean_up(self) -> None:
        """See L{RunActions.clean_up}."""
        self._keeper.stop()
        self._begin_to(self._clean_up, "cleaning up")
        self._all_uploaded(self)

    async def _clean_up(self) -> None:
        await self._try(self._features.cleanup(), "cleaning up after the features")
        if self._sandbox is not None:
            await self._try(self._sandbox.dispose(), "removing the sandbox")
        await self._try(self._log.dispose(), "closing the log")
        await self._try(self._facilities.threads.run(shutil.rmtree, self._folder), "removing the run's folder")
        if not self._owed:
            await self._try(self._facilities.state.done(self.claim.task_id, self.claim.run_id), "forgetting the run")
        self._machine.cleaned()

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
        self._logger.info(
            "ended as {resolution}{owed}", resolution=str(resolution), owed=", not yet reported" if self._owed else ""
        )
        self._ended(self, resolution)
