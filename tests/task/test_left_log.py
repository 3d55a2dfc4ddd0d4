"""The log of a run whose worker died, published by the next one."""

from __future__ import annotations

import errno
import gzip
import os
import random
import stat
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import TestCase

from tcworker.errors import CallFailed, Cause, ResourceUnavailable
from tcworker.interfaces import JSON, Credentials, LinkArtifact, SandboxRecord
from tcworker.state import RunRecord
from tcworker.task.allowance import TOLERANCE
from tcworker.task.claim import Claim
from tcworker.task.left_log import publish_left_log
from tcworker.task.log import TaskLog
from tcworker.task.log_names import LogNames
from tcworker.task.log_raw import NAME as RAW
from tcworker.task.log_record import NAME
from tcworker.task.report import record_of
from tcworker.task.resolution import CANCELED, CLAIM_LOST, COMPLETED, WORKER_SHUTDOWN, Resolution
from tcworker.task.secret_forms import forms_of
from tcworker.task.verdict import Verdict, by_death, by_error
from tcworker.testing.context import FakeTaskContext
from tcworker.testing.facilities import FakeFacilities
from tcworker.waiting import now
from tests.task.masked import masked_at_once
from tests.verdicts import read_verdict

LIVE, BACKING = "public/logs/live.log", "public/logs/live_backing.log"
VERDICT = "public/logs/verdict.json"
WHY = by_death(begun=True).why
DIED = ("worker-died", "worker", "worker-shutdown")


class LeftLogTest(TestCase):
    """A worker that dies, and the next one with the same state directory."""

    timeout = 30

    def setUp(self) -> None:
        self.clock = Clock()
        self.folder = self.mktemp()
        self.dead = self.worker({"mask": ["of the operator"]})
        self.next = self.worker({})

    def worker(self, logs: Mapping[str, Any]) -> FakeFacilities:
        return FakeFacilities(self.clock, self.folder, logs_mask=tuple(logs.get("mask", ())), logs_max_megabytes=1)

    def claim(self, **payload: Any) -> Claim:
        claim = self.dead.claim({"script": [], **payload})
        os.makedirs(self.dead.folder_of(claim), exist_ok=True)
        return claim

    def begin(self, claim: Claim) -> TaskLog:
        """The dead worker's log, which it never seals."""
        return self.dead.new_log(claim, self.dead.folder_of(claim), lambda error: self.fail(str(error)))

    async def die(self, log: TaskLog) -> None:
        """All that a process that is killed does about a log: its files are closed as they are."""
        await log.dispose()

    async def publish(self, claim: Claim, **more: Any) -> FakeTaskContext:
        """Let the next worker publish it, of which the dead one knew more; give the context that it had for that."""
        decided = more.pop("decided", None)
        await publish_left_log(replace(self.record(claim), **more), self.next, decided)
        return self.next.contexts[-1] if self.next.contexts else FakeTaskContext(self.clock)

    def record(self, claim: Claim) -> RunRecord:
        return record_of(claim)

    def text(self, context: FakeTaskContext, name: str = BACKING) -> str:
        return gzip.decompress(context.stored[name]).decode()


class WhatIsPublished(LeftLogTest):
    async def test_all_that_was_written_and_why_there_is_no_more(self) -> None:
        claim = self.claim()
        log = self.begin(claim)
        log.write(b"printed\n")
        await self.die(log)
        context = await self.publish(claim)
        self.assertEqual(self.text(context).splitlines(), ["printed", f"[taskcluster:error] {WHY}"])
        (link,) = [artifact for artifact in context.published if isinstance(artifact, LinkArtifact)]
        self.assertEqual((link.name, link.target, link.expires), (LIVE, BACKING, claim.expires))

    async def test_a_line_that_was_not_printed_to_its_end(self) -> None:
        claim = self.claim()
        log = self.begin(claim)
        log.write(b"half a li")
        await self.die(log)
        lines = self.text(await self.publish(claim)).splitlines()
        self.assertEqual(lines, ["half a li", f"[taskcluster:error] {WHY}"])

    async def test_under_the_names_that_the_task_wants(self) -> None:
        claim = self.claim()
        log = self.begin(claim)
        log.name(LogNames("a/live", "a/whole"))
        await self.die(log)
        context = await self.publish(claim)
        self.assertEqual({artifact.name for artifact in context.published}, {"a/live", "a/whole", "a/verdict.json"})

    async def test_nothing_of_a_task_that_wants_no_log(self) -> None:
        claim = self.claim()
        log = self.begin(claim)
        log.name(LogNames(published=False))
        await self.die(log)
        self.assertEqual((await self.publish(claim)).published, [])

    async def test_beginning_and_end_of_one_that_is_too_long(self) -> None:
        claim = self.claim()
        log = self.begin(claim)
        log.write(b"the beginning\n" + b"x" * 3_000_000 + b"\nthe end\n")
        await self.die(log)
        lines = self.text(await self.publish(claim)).splitlines()
        self.assertEqual((lines[0], lines[-2]), ("the beginning", "the end"))
        self.assertEqual(len([line for line in lines if "bytes of the log are missing here" in line]), 1)

    async def test_the_same_if_the_dead_worker_was_about_to_put_both_together(self) -> None:
        claim = self.claim()
        log = self.begin(claim)
        log.write(b"the beginning\n" + b"x" * 3_000_000 + b"\nthe end\n")
        await log.seal()
        await self.die(log)
        text = self.text(await self.publish(claim))
        self.assertEqual((text.count("the end"), text.count("are missing here")), (1, 1))

    async def test_it_can_be_begun_again_by_a_third(self) -> None:
        claim = self.claim()
        log = self.begin(claim)
        log.write(b"the beginning\n" + b"x" * 3_000_000 + b"\nthe end\n")
        await self.die(log)
        self.patch(self.next, "new_context", lambda *given: _Refusing(self.clock, *given))
        with capturedLogs() as told:
            await self.publish(claim)
        self.assertIn("cannot be published", " ".join(str(formatEvent(event)) for event in told))
        third = self.worker({})
        await publish_left_log(self.record(claim), third)
        text = self.text(third.contexts[-1])
        self.assertEqual([text.count(part) for part in ("the end", "are missing here", WHY)], [1, 1, 1])


class TheVerdict(LeftLogTest):
    """Why the run was not completed, beside its log."""

    async def verdict(self, *, going: float | None = None, **more: Any) -> tuple[JSON, str]:
        """Of a run of which a dead worker knew this; with the last line of its log."""
        claim = self.claim()
        log = self.begin(claim)
        if going is not None:
            log.note_going(going)
        await self.die(log)
        context = await self.publish(claim, **more)
        return read_verdict(gzip.decompress(context.stored[VERDICT])), self.text(context).splitlines()[-1]

    async def test_it_says_that_the_worker_died_and_whether_the_task_was_begun(self) -> None:
        for sandbox in (None, SandboxRecord("fake", {})):
            verdict, line = await self.verdict(sandbox=sandbox)
            self.assertEqual((verdict["cause"], verdict["whose"], verdict["reason"]), DIED)
            self.assertEqual(verdict["evidence"], {"begun": sandbox is not None})
            self.assertIn(verdict["message"], line)
            self.setUp()

    async def test_a_worker_that_was_told_to_go_and_did_not_come_to_say_so_is_not_said_to_have_died(self) -> None:
        for resolution in (None, WORKER_SHUTDOWN):
            verdict, line = await self.verdict(going=30, sandbox=SandboxRecord("fake", {}), resolution=resolution)
            self.assertEqual((verdict["cause"], verdict["reason"]), ("worker-shutdown", "worker-shutdown"))
            self.assertEqual(verdict["evidence"], {"secondsLeft": 30})
            self.assertIn("the worker was told to be gone in 30 s", line)
            self.setUp()

    async def test_nor_if_it_is_found_too_late(self) -> None:
        verdict, line = await self.verdict(going=30, taken_until=now(self.clock))
        self.assertEqual((verdict["cause"], verdict["reason"]), ("worker-shutdown", "claim-expired"))
        self.assertNotIn("died", line)

    async def test_one_that_was_killed_while_it_told_of_another_s_death_changes_nothing(self) -> None:
        verdict, _ = await self.verdict(resolution=WORKER_SHUTDOWN, reported=True)
        self.assertEqual((verdict["cause"], verdict["whose"], verdict["reason"]), DIED)

    async def test_of_one_that_was_found_too_late_it_says_what_the_queue_does(self) -> None:
        verdict, _ = await self.verdict(
            taken_until=now(self.clock), resolution=Resolution("exception", "worker-shutdown")
        )
        self.assertEqual((verdict["cause"], verdict["reason"]), ("worker-died", "claim-expired"))

    async def test_of_one_that_was_decided_it_says_that(self) -> None:
        verdict, line = await self.verdict(resolution=Resolution("exception", "resource-unavailable"))
        self.assertEqual((verdict["cause"], verdict["reason"]), ("resource-unavailable", "resource-unavailable"))
        self.assertIn("the run ended as exception/resource-unavailable", line)


class TheVerdictOfWhoKnewMore(LeftLogTest):
    """The dead worker had come to say why the run ended, and not to publish that."""

    async def verdict(self, decided: Verdict, told: Resolution | None, **more: Any) -> tuple[JSON, list[str]]:
        claim = self.claim()
        log = self.begin(claim)
        log.write(b"printed\n")
        log.end_with(decided.why)
        log.note_verdict(decided, now(self.clock))
        await self.die(log)
        self.clock.advance(60)
        context = await self.publish(claim, resolution=told, **more)
        return read_verdict(gzip.decompress(context.stored[VERDICT])), self.text(context).splitlines()

    async def test_is_published_as_it_was(self) -> None:
        decided = by_error(ResourceUnavailable("no room", cause=Cause.CACHE, evidence={"cache": "ccache"}))
        verdict, lines = await self.verdict(decided, decided.resolution, reported=True)
        self.assertEqual((verdict["cause"], verdict["evidence"]), ("cache", {"cache": "ccache"}))
        self.assertEqual(verdict["time"], "1970-01-01T00:00:00.000Z")
        self.assertEqual(lines, ["printed", "[taskcluster:error] no room"])

    async def test_counts_no_more_if_the_queue_was_told_something_else(self) -> None:
        decided = by_error(ResourceUnavailable("no room"))
        for told, more in ((None, {}), (decided.resolution, {"taken_until": now(self.clock)})):
            verdict, lines = await self.verdict(decided, told, **more)
            self.assertEqual(verdict["cause"], "worker-died")
            self.assertIn(verdict["message"], lines[-1])
            self.setUp()


class ToldTooLate(LeftLogTest):
    """The run went as it should, and the claim was over before anybody could tell the queue."""

    async def test_a_completed_run_has_a_verdict_that_says_so(self) -> None:
        claim = self.claim()
        log = self.begin(claim)
        await log.seal()
        log.published()
        await self.die(log)
        context = await self.publish(claim, resolution=COMPLETED, taken_until=now(self.clock))
        verdict = read_verdict(gzip.decompress(context.stored[VERDICT]))
        self.assertEqual((verdict["cause"], verdict["reason"]), ("claim-lost", "claim-expired"))
        self.assertIn("the run was completed, but the queue could not be told", verdict["message"])


class DecidedByTheQueue(LeftLogTest):
    """It refused what it was told, whatever clocks say of the claim."""

    async def verdict_of(self, decided: Resolution, **more: Any) -> JSON:
        claim = self.claim()
        log = self.begin(claim)
        await log.seal()
        log.published()
        await self.die(log)
        context = await self.publish(claim, decided=decided, **more)
        return read_verdict(gzip.decompress(context.stored[VERDICT]))

    async def test_a_completed_run_was_given_away(self) -> None:
        verdict = await self.verdict_of(CLAIM_LOST, resolution=COMPLETED)
        self.assertEqual((verdict["cause"], verdict["reason"]), ("claim-lost", "claim-expired"))
        self.assertIn("the run was completed, but the queue could not be told", verdict["message"])

    async def test_a_completed_run_was_cancelled(self) -> None:
        verdict = await self.verdict_of(CANCELED, resolution=COMPLETED)
        self.assertEqual((verdict["cause"], verdict["message"]), ("canceled", "the task was canceled"))

    async def test_one_whose_worker_died_was_given_away(self) -> None:
        verdict = await self.verdict_of(CLAIM_LOST)
        self.assertEqual((verdict["cause"], verdict["reason"]), ("worker-died", "claim-expired"))

    async def test_one_whose_worker_died_was_cancelled_even_if_the_claim_is_over_by_now(self) -> None:
        verdict = await self.verdict_of(CANCELED, taken_until=now(self.clock))
        self.assertEqual((verdict["cause"], verdict["reason"]), ("canceled", "canceled"))


class InThePlaceOfACheckpoint(LeftLogTest):
    """What the dead worker had published of the log may not be there, or show what it should not."""

    async def test_the_whole_log_is(self) -> None:
        claim = self.claim()
        log = self.begin(claim)
        log.name(LogNames("live", "a/whole"))
        log.write(b"printed\n")
        log.note_checkpoint()
        await self.die(log)
        context = await self.publish(claim)
        self.assertEqual(self.text(context, "a/checkpoint.log"), self.text(context, "a/whole"))

    async def test_where_there_was_none_there_is_none(self) -> None:
        claim = self.claim()
        await self.die(self.begin(claim))
        self.assertEqual((await self.publish(claim)).republished, [])

    async def test_a_log_that_may_be_an_object_already_is_there_in_any_case(self) -> None:
        self.next = FakeFacilities(self.clock, self.folder, create_object_artifacts=True)
        claim = self.claim()
        await self.die(self.begin(claim))
        context = await self.publish(claim)
        self.assertIn(WHY, self.text(context, "public/logs/checkpoint.log"))


class _Refusing(FakeTaskContext):
    """The context of a worker whose storage is away."""

    def __init__(self, clock: Clock, *given: Any) -> None:
        super().__init__(clock)

    def reserve(self, name: str) -> Any:
        return lambda artifact: fail(ResourceUnavailable("the storage is away"))


class WhenSomeOfItIsThere(LeftLogTest):
    """The dead worker was killed between its log and what belongs to that."""

    async def published(self, log: TaskLog) -> None:
        await log.seal()
        log.published()

    async def test_a_log_that_was_published_is_not_once_more_but_what_leads_there_is(self) -> None:
        claim = self.claim()
        await self.published(log := self.begin(claim))
        await self.die(log)
        context = await self.publish(claim)
        self.assertEqual([artifact.name for artifact in context.published], [VERDICT, LIVE])
        self.assertEqual(read_verdict(gzip.decompress(context.stored[VERDICT]))["cause"], "worker-died")

    async def test_the_verdict_of_who_knew_more_stays(self) -> None:
        claim = self.claim()
        await self.published(log := self.begin(claim))
        log.verdict_published()
        await self.die(log)
        context = await self.publish(claim)
        self.assertEqual([artifact.name for artifact in context.published], [LIVE])

    async def test_so_does_that_of_the_next_worker_if_it_is_killed_too(self) -> None:
        claim = self.claim()
        log = self.begin(claim)
        log.write(b"printed\n")
        await self.die(log)
        self.assertEqual(len((await self.publish(claim)).published), 3)
        self.assertEqual([artifact.name for artifact in (await self.publish(claim)).published], [LIVE])

    async def test_a_checkpoint_is_replaced_all_the_same(self) -> None:
        claim = self.claim()
        log = self.begin(claim)
        log.note_checkpoint()
        await self.published(log)
        await self.die(log)
        context = await self.publish(claim)
        self.assertEqual([artifact.name for artifact in context.republished], ["public/logs/checkpoint.log"])


class _Hanging(FakeTaskContext):
    """The context of a worker whose storage takes a verdict, and has no answer for a log."""

    def __init__(self, clock: Clock, *given: Any) -> None:
        super().__init__(clock)

    def reserve(self, name: str) -> Any:
        return lambda artifact: succeed(None) if name == VERDICT else Deferred()


class WhatIsNot(LeftLogTest):
    async def test_one_whose_worker_must_go_before_the_storage_took_it(self) -> None:
        claim = self.claim()
        await self.die(self.begin(claim))
        self.patch(self.next, "new_context", lambda *given: _Hanging(self.clock, *given))
        with capturedLogs() as told:
            publishing = publish_left_log(self.record(claim), self.next)
            publishing.cancel()
            with self.assertRaises(CancelledError):
                await publishing
        self.assertEqual(told, [])
        self.assertIn(RAW, os.listdir(self.dead.folder_of(claim)))

    async def test_one_that_a_full_disk_has_no_room_for_which_another_try_may_publish(self) -> None:
        claim = self.claim()
        await self.die(self.begin(claim))
        full = OSError(errno.ENOSPC, "No space left on device")
        sealing = self.patch(TaskLog, "seal", lambda log: fail(full))
        with self.assertRaises(OSError):
            await self.publish(claim)
        sealing.restore()
        context = await self.publish(claim)
        self.assertIn(WHY, self.text(context))

    async def test_a_run_that_had_no_log_yet(self) -> None:
        await self.publish(self.dead.claim())
        self.assertEqual(self.next.contexts, [])

    async def test_one_of_which_nobody_knows_what_must_not_be_seen(self) -> None:
        claim = self.claim()
        log = self.begin(claim)
        log.write(b"secret\n")
        await self.die(log)
        os.unlink(os.path.join(self.dead.folder_of(claim), NAME))
        self.next.queue.always("task", CallFailed("task", 404, "ResourceNotFound", "no such task"))
        with capturedLogs() as told:
            await self.publish(claim)
        self.assertEqual(self.next.contexts, [])
        without, line = [str(formatEvent(event)) for event in told]
        self.assertIn("no verdict either", without)
        kept = os.path.join(self.folder, "kept-logs", f"{claim.task_id}-{claim.run_id}")
        self.assertIn(f"it is kept in {kept}", line)
        self.assertIn(f"there is no {NAME} beside it: its worker was an older tcworker", line)
        modes = [stat.S_IMODE(os.stat(path).st_mode) for path in (os.path.dirname(kept), os.path.join(kept, RAW))]
        self.assertEqual((modes, os.listdir(self.next.folder_of_runs)), ([0o700, 0o600], []))

    async def publish_without_record(self, **payload: Any) -> FakeTaskContext:
        """The same, where the queue still has the task."""
        claim = self.claim(**payload)
        log = self.begin(claim)
        log.write(b"secret\n")
        await self.die(log)
        os.unlink(os.path.join(self.dead.folder_of(claim), NAME))
        self.next.queue.always("task", claim.task)
        return await self.publish(claim)

    async def test_of_such_a_one_the_verdict_is(self) -> None:
        context = await self.publish_without_record(logs={"live": "a/live", "backing": "a/whole"})
        self.assertEqual([artifact.name for artifact in context.published], ["a/verdict.json"])
        verdict = read_verdict(gzip.decompress(context.stored["a/verdict.json"]))
        self.assertEqual(verdict["cause"], "worker-died")
        (kept,) = os.listdir(os.path.join(self.folder, "kept-logs"))
        self.assertNotIn(NAME, os.listdir(os.path.join(self.folder, "kept-logs", kept)))

    async def test_of_a_task_that_wants_no_log_there_is_no_verdict_either(self) -> None:
        context = await self.publish_without_record(features={"backingLog": False})
        self.assertEqual(context.published, [])


class Secrets(LeftLogTest):
    """What was to be masked, whoever said so, and whatever the next worker knows of it."""

    async def test_none_is_in_it(self) -> None:
        claim = self.claim()
        self.dead.mask_credentials(Credentials("worker", "of the worker"))
        log = self.begin(claim)
        log.mask("of a feature")
        log.mask_exactly([b"of a reclaim"])
        known = ["of the operator", "of a feature", "of a reclaim", "of the worker"]
        log.write("\n".join(known).encode() + b"\n")
        await self.die(log)
        text = self.text(await self.publish(claim))
        self.assertEqual([secret for secret in known if secret in text], [])
        self.assertEqual(text.count("[masked]"), 4)

    async def test_what_only_the_state_store_has_is_masked_too(self) -> None:
        claim = self.claim()
        log = self.begin(claim)
        log.write(b"it is newest-token\n")
        await self.die(log)
        record = RunRecord(**{**vars(record_of(claim)), "credentials": Credentials("run", "newest-token")})
        await publish_left_log(record, self.next)
        self.assertIn("it is [masked]\n", self.text(self.next.contexts[-1]))

    async def test_half_of_one_at_the_end_of_what_was_written(self) -> None:
        claim = self.claim()
        log = self.begin(claim)
        log.mask("hunter2hunter2")
        log.write(b"it is hunter2hun")
        await self.die(log)
        self.assertEqual(self.text(await self.publish(claim)).splitlines()[0], "it is [masked]")

    async def test_a_line_that_may_have_become_what_a_pattern_is_for(self) -> None:
        self.dead = self.worker({"mask": [{"pattern": "token=[a-z]{8}"}]})
        claim = self.claim()
        log = self.begin(claim)
        log.write(b"token=abcdefgh is it\ntoken=abcd")
        await self.die(log)
        lines = self.text(await self.publish(claim)).splitlines()
        self.assertEqual(lines[:2], ["[masked] is it", "[masked]"])


class AnySecrets(LeftLogTest):
    """Random secrets in random pieces, some of them known only after they were printed, and a death at any moment."""

    ROUNDS = 40

    async def test_all_is_as_if_it_was_masked_at_once(self) -> None:
        chance = random.Random(20261125)
        for number in range(self.ROUNDS):
            secrets = ["".join(chance.choices("abc", k=chance.randint(6, 12))) for _ in range(3)]
            claim = self.claim_of(f"task{number}")
            log, printed = self.begin(claim), b""
            for secret in secrets:
                piece = b"".join(self.some_text(chance, secrets) for _ in range(chance.randint(0, 9)))
                log.write(piece)
                log.mask(secret)
                printed += piece
            await self.die(log)
            text = self.text(await self.publish(claim)).encode()
            last = f"[taskcluster:error] {WHY}\n".encode()
            forms = [form for secret in secrets for form in forms_of(secret)]
            whole = masked_at_once(printed, forms, [])
            self.assertEqual(text, whole + (b"" if printed.endswith(b"\n") or not printed else b"\n") + last)

    def claim_of(self, task_id: str) -> Claim:
        claim = self.dead.claim({"script": []}, task_id=task_id)
        os.makedirs(self.dead.folder_of(claim))
        return claim

    def some_text(self, chance: random.Random, secrets: list[str]) -> bytes:
        secret = chance.choice(secrets)
        return chance.choice([secret, secret[: chance.randint(1, 11)], "x\n", " "]).encode()


class TooLate(LeftLogTest):
    async def test_a_run_whose_credentials_are_over_has_its_log_no_more(self) -> None:
        claim = self.claim()
        await self.die(self.begin(claim))
        self.clock.advance(1200 + TOLERANCE)
        with capturedLogs() as told:
            await self.publish(claim)
        self.assertEqual(self.next.contexts, [])
        self.assertIn("too late", " ".join(str(formatEvent(event)) for event in told))

    async def test_for_some_minutes_after_its_claim_it_has(self) -> None:
        claim = self.claim()
        await self.die(self.begin(claim))
        self.clock.advance(1200 + TOLERANCE - 60)
        self.assertIn(BACKING, (await self.publish(claim)).stored)


class AtTheEnd(LeftLogTest):
    async def test_nothing_is_left_open(self) -> None:
        claim = self.claim()
        await self.die(self.begin(claim))
        before = len(os.listdir("/proc/self/fd"))
        await self.publish(claim)
        self.assertEqual((len(os.listdir("/proc/self/fd")), self.clock.getDelayedCalls()), (before, []))

    async def test_the_worker_can_go_meanwhile_and_leave_it_to_the_next(self) -> None:
        claim = self.claim()
        log = self.begin(claim)
        log.write(b"printed\n")
        await self.die(log)
        held: Deferred[Any] = Deferred()
        context = cast(Any, _Refusing(self.clock))
        context.reserve = lambda name: lambda artifact: held
        self.patch(self.next, "new_context", lambda *given: context)
        publishing = publish_left_log(self.record(claim), self.next)
        publishing.addErrback(lambda _: None)
        publishing.cancel()
        third = self.worker({})
        await publish_left_log(self.record(claim), third)
        self.assertIn("printed", self.text(third.contexts[-1]))
