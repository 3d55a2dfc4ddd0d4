"""What befalls requests is decided by seed and name alone."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from twisted.trial.unittest import SynchronousTestCase

from tests.faults.fates import Call, Chances, Fate, Planned
from tests.faults.tasks import slug, tasks

TASK = "abcdefghijklmnopqrstuv"
RUN = f"/api/queue/v1/task/{TASK}/runs/0"


def fates(seed: str, share: float, paths: Sequence[str]) -> Sequence[Fate]:
    decide = Chances(seed, share)
    return [decide(Call("POST", path, 10)) for path in paths]


class Names(SynchronousTestCase):
    def test_a_call_has_the_queue_s_name_and_its_task(self) -> None:
        for method, path, name, task in (
            ("POST", "/api/queue/v1/claim-work/a/b", "claimWork", None),
            ("POST", f"{RUN}/reclaim", "reclaimTask", TASK),
            ("POST", f"{RUN}/completed", "reportCompleted", TASK),
            ("POST", f"{RUN}/artifacts/public/a.txt", "createArtifact", TASK),
            ("PUT", f"{RUN}/artifacts/public/a.txt", "finishArtifact", TASK),
            ("PUT", f"/storage/{TASK}/0/public/a.txt", "put", TASK),
            ("PUT", f"/api/object/v1/upload/t/{TASK}/0/public/a.txt", "createUpload", TASK),
            ("POST", f"/api/object/v1/finish-upload/t/{TASK}/0/public/a.txt", "finishUpload", TASK),
            ("POST", "/api/queue/v1/tasks/status", "status", None),
        ):
            call = Call(method, path)
            self.assertEqual((call.name, call.task_id), (name, task), path)

    def test_nobody_can_tell_who_took_an_upload(self) -> None:
        self.assertFalse(Call("PUT", f"/storage/{TASK}/0/a", 5).suits(Fate.IMPOSTOR))
        self.assertTrue(Call("POST", f"{RUN}/completed").suits(Fate.IMPOSTOR))

    def test_what_has_no_body_is_not_cut(self) -> None:
        self.assertFalse(Call("POST", f"{RUN}/completed").suits(Fate.CUT))


class Deciding(SynchronousTestCase):
    def test_the_same_request_fares_alike_whoever_comes_first(self) -> None:
        paths = [f"{RUN}/artifacts/{number}" for number in range(100)]
        there, back = fates("a", 0.5, paths), fates("a", 0.5, paths[::-1])
        self.assertEqual(there, back[::-1])
        self.assertNotEqual(there, fates("b", 0.5, paths))

    def test_a_second_try_has_chances_of_its_own(self) -> None:
        self.assertGreater(len(set(fates("a", 0.5, [f"{RUN}/completed"] * 50))), 5)

    def test_as_many_meet_something_as_were_to(self) -> None:
        paths = [f"{RUN}/artifacts/{number}" for number in range(2000)]
        for share in (0, 0.15, 1):
            met = sum(fate is not Fate.PASSES for fate in fates("a", share, paths))
            self.assertLess(abs(met / len(paths) - share), 0.03)

    def test_what_is_planned_happens_once(self) -> None:
        planned = Planned({(TASK, "reportCompleted"): Fate.DROPPED})
        call = Call("POST", f"{RUN}/completed")
        self.assertEqual([planned(call), planned(call), planned.left], [Fate.DROPPED, Fate.PASSES, {}])


class Tasks(SynchronousTestCase):
    def test_a_seed_has_the_same_tasks_each_time(self) -> None:
        self.assertEqual(tasks("a", 30, "j", long=2), tasks("a", 30, "j", long=2))
        self.assertNotEqual(tasks("a", 30, "j", long=2), tasks("b", 30, "j", long=2))

    def test_ids_are_ids_of_taskcluster(self) -> None:
        for seed in range(50):
            self.assertRegex(
                slug(Random(seed)), "^[A-Za-z0-9_-]{8}[Q-T][A-Za-z0-9_-][CGKOSWaeimquy26-][A-Za-z0-9_-]{10}[AQgw]$"
            )
