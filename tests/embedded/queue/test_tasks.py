"""Creating, reading and ending tasks."""

from __future__ import annotations

from typing import Any

import slugid

from tests.embedded.wire import WireTestCase

NICE = str(slugid.nice())


class Creating(WireTestCase):
    def bad(self, code: str, **changes: Any) -> str:
        definition = {**self.definition(), **changes}
        definition = {key: value for key, value in definition.items() if value is not None}
        return self.refused("queue", 400, code, "PUT", f"/task/{NICE}", definition)

    def test_everything_is_filled_in(self) -> None:
        task_id = self.create(taskQueueId="prov/type", deadline="2027-01-15T10:00:00.123456+01:00")
        task = self.ask("queue", "GET", f"/task/{task_id}")
        filled = {
            "provisionerId": "prov",
            "workerType": "type",
            "taskQueueId": "prov/type",
            "schedulerId": "-",
            "projectId": "none",
            "taskGroupId": task_id,
            "dependencies": [],
            "requires": "all-completed",
            "routes": [],
            "priority": "lowest",
            "retries": 5,
            "created": "2027-01-15T08:00:00.000Z",
            "deadline": "2027-01-15T09:00:00.123Z",
            "expires": "2028-01-15T09:00:00.123Z",
            "scopes": [],
            "tags": {},
            "extra": {},
        }
        self.assertEqual({key: task[key] for key in filled}, filled)

    def test_it_is_pending_at_once(self) -> None:
        status = self.status(self.create())
        self.assertEqual((status["state"], status["runs"][0]["reasonCreated"]), ("pending", "scheduled"))

    def test_the_old_names_of_its_queue_do(self) -> None:
        task_id = self.create(taskQueueId="a/b", provisionerId="a", workerType="b")
        self.assertEqual(self.status(task_id)["taskQueueId"], "a/b")
        self.assertIn("agree", self.bad("InputError", provisionerId="other"))
        self.assertIn("needs", self.bad("InputError", taskQueueId=None, provisionerId="a"))

    def test_again_with_the_same_definition(self) -> None:
        definition = self.definition()
        for _ in range(2):
            self.ask("queue", "PUT", f"/task/{NICE}", definition)
        self.claim()
        self.assertEqual(self.ask("queue", "PUT", f"/task/{NICE}", definition)["status"]["state"], "running")

    def test_again_with_another_definition(self) -> None:
        self.ask("queue", "PUT", f"/task/{NICE}", self.definition())
        self.refused("queue", 409, "RequestConflict", "PUT", f"/task/{NICE}", self.definition(payload={"a": 1}))

    def test_what_does_not_fit_its_schema(self) -> None:
        for changes, place in (
            ({"priority": "normal"}, "data.priority"),
            ({"payload": None}, "'payload' is a required"),
            ({"payload": []}, "data.payload"),
            ({"unknown": 1}, "unknown"),
            ({"retries": 50}, "data.retries"),
            ({"created": "yesterday"}, "data.created"),
            ({"created": "2027-02-31T00:00:00Z"}, "data.created"),
            ({"metadata": {}}, "data.metadata"),
            ({"dependencies": ["x"]}, "data.dependencies[0]"),
            ({"taskQueueId": "a/b\n"}, "data.taskQueueId"),
            ({"scopes": ["ü"]}, "data.scopes[0]"),
        ):
            self.assertIn(place, self.bad("InputValidationError", **changes))

    def test_dates_that_do_not_go_together(self) -> None:
        for changes in (
            {"created": self.date(minutes=16)},
            {"created": self.date(minutes=-16)},
            {"deadline": self.date(minutes=-1)},
            {"deadline": self.date()},
            {"deadline": self.date(days=5, minutes=16)},
            {"expires": self.date(minutes=59)},
        ):
            self.bad("InputError", **changes)

    def test_a_scope_that_ends_in_two_stars(self) -> None:
        self.bad("InputError", scopes=["a**"])

    def test_scopes(self) -> None:
        enough = [
            "queue:create-task:high:prov/type",
            "queue:create-task:project:none",
            "queue:scheduler-id:-",
            "queue:route:r",
            "its:own",
        ]
        definition = self.definition(priority="medium", routes=["r"], scopes=["its:own"])
        for scope in enough:
            others = self.with_scopes(*(one for one in enough if one != scope))
            message = self.refused("queue", 403, "InsufficientScopes", "PUT", f"/task/{NICE}", definition, others)
            self.assertIn(scope.replace("high", "medium"), message)
        self.ask("queue", "PUT", f"/task/{NICE}", definition, self.with_scopes(*enough))

    def test_a_group_has_one_scheduler(self) -> None:
        first = self.create(schedulerId="one")
        message = self.refused(
            "queue",
            409,
            "RequestConflict",
            "PUT",
            f"/task/{NICE}",
            self.definition(schedulerId="two", taskGroupId=first),
        )
        self.assertIn("one", message)

    def test_a_dependency_that_is_not_there_leaves_nothing_behind(self) -> None:
        self.bad("InputError", dependencies=[str(slugid.nice())])
        self.refused("queue", 404, "ResourceNotFound", "GET", f"/task/{NICE}")
        self.ask("queue", "PUT", f"/task/{NICE}", self.definition())

    def test_scopes_are_asked_before_dates_and_dates_before_the_group(self) -> None:
        first = self.create(schedulerId="one")
        wrong = self.definition(schedulerId="two", taskGroupId=first, deadline=self.date(minutes=-1))
        self.refused("queue", 403, "InsufficientScopes", "PUT", f"/task/{NICE}", wrong, self.with_scopes())
        self.refused("queue", 400, "InputError", "PUT", f"/task/{NICE}", wrong)
        right = {**wrong, "deadline": self.date(hours=1), "dependencies": [str(slugid.nice())]}
        self.refused("queue", 409, "RequestConflict", "PUT", f"/task/{NICE}", right)

    def test_again_too_late(self) -> None:
        definition = self.definition()
        self.ask("queue", "PUT", f"/task/{NICE}", definition)
        self.reactor.advance(901)
        self.refused("queue", 400, "InputError", "PUT", f"/task/{NICE}", definition)

    def test_many_dependencies(self) -> None:
        run, credentials = self.run_of_own()
        over = run.split("/")[2]
        self.ask("queue", "POST", f"{run}/completed", None, credentials)
        required = [over, *(self.create() for _ in range(30))]
        self.assertEqual(self.status(self.create(dependencies=required))["state"], "unscheduled")
        self.assertEqual(self.status(self.create(dependencies=required[:1]))["state"], "pending")

    def test_a_failure_counts_for_who_asks_for_any_end(self) -> None:
        run, credentials = self.run_of_own()
        self.ask("queue", "POST", f"{run}/failed", None, credentials)
        failed = [run.split("/")[2]]
        for requires, state in (("all-resolved", "pending"), ("all-completed", "unscheduled")):
            self.assertEqual(self.status(self.create(dependencies=failed, requires=requires))["state"], state)

    def test_a_dependency_that_ends_before_the_task_may(self) -> None:
        early = self.create(deadline=self.date(minutes=1), expires=self.date(minutes=2))
        self.bad("InputError", dependencies=[early])


class Reading(WireTestCase):
    def test_statuses_of_many_leave_out_the_unknown(self) -> None:
        known = self.create()
        answer = self.ask("queue", "POST", "/tasks/status", {"taskIds": [known, NICE]})
        self.assertEqual([entry["taskId"] for entry in answer["statuses"]], [known])
        answer = self.ask("queue", "POST", "/tasks", {"taskIds": [NICE, known]})
        self.assertEqual([entry["task"]["taskQueueId"] for entry in answer["tasks"]], ["prov/type"])

    def test_a_group_in_pages(self) -> None:
        first = self.create()
        members = sorted([first, *(self.create(taskGroupId=first) for _ in range(2))])
        page = self.ask("queue", "GET", f"/task-group/{first}/list?limit=2")
        token = page["continuationToken"]
        rest = self.ask("queue", "GET", f"/task-group/{first}/list?limit=2&continuationToken={token}")
        listed = [entry["status"]["taskId"] for entry in page["tasks"] + rest["tasks"]]
        self.assertEqual(listed, members)
        self.assertNotIn("continuationToken", rest)
        self.assertEqual((rest["taskGroupId"], rest["schedulerId"]), (first, "-"))

    def test_a_group_that_is_not_there(self) -> None:
        self.refused("queue", 404, "ResourceNotFound", "GET", f"/task-group/{NICE}/list")

    def test_many_in_pages(self) -> None:
        tasks = [self.create() for _ in range(3)]
        for path, name in (("/tasks/status", "statuses"), ("/tasks", "tasks")):
            page = self.ask("queue", "POST", f"{path}?limit=2", {"taskIds": tasks})
            rest = f"{path}?limit=2&continuationToken={page['continuationToken']}"
            last = self.ask("queue", "POST", rest, {"taskIds": tasks})
            self.assertEqual([entry["taskId"] for entry in page[name] + last[name]], tasks)
            self.assertNotIn("continuationToken", last)

    def test_many_are_none_by_themselves(self) -> None:
        self.assertEqual(self.ask("queue", "POST", "/tasks/status", {}), {"statuses": []})
        self.refused("queue", 400, "InputValidationError", "POST", "/tasks", {"taskIds": [1]})

    def test_who_waits_for_a_task_in_pages(self) -> None:
        first = self.create()
        waiting = sorted(self.create(dependencies=[first]) for _ in range(3))
        page = self.ask("queue", "GET", f"/task/{first}/dependents?limit=2")
        rest = self.ask(
            "queue", "GET", f"/task/{first}/dependents?limit=2&continuationToken={page['continuationToken']}"
        )
        self.assertEqual([entry["status"]["taskId"] for entry in page["tasks"] + rest["tasks"]], waiting)
        self.assertEqual((page["taskId"], rest["tasks"][0]["task"]["dependencies"]), (first, [first]))
        self.assertEqual(self.ask("queue", "GET", f"/task/{waiting[0]}/dependents")["tasks"], [])
        self.refused("queue", 404, "ResourceNotFound", "GET", f"/task/{NICE}/dependents")

    def test_who_waited_for_a_task_is_still_listed(self) -> None:
        run, credentials = self.run_of_own()
        first = run.split("/")[2]
        waiting = self.create(dependencies=[first])
        self.ask("queue", "POST", f"{run}/completed", None, credentials)
        self.reactor.advance(5)
        [entry] = self.ask("queue", "GET", f"/task/{first}/dependents")["tasks"]
        self.assertEqual((entry["status"]["taskId"], entry["status"]["state"]), (waiting, "pending"))


class Prioritising(WireTestCase):
    def test_it_overtakes_those_that_wait(self) -> None:
        _, urgent = self.create(priority="low"), self.create()
        answer = self.ask("queue", "POST", f"/task/{urgent}/priority", {"newPriority": "high"})
        self.assertEqual(answer["status"]["priority"], "high")
        self.assertEqual(self.ask("queue", "GET", f"/task/{urgent}")["priority"], "high")
        self.assertEqual(self.claim()["status"]["taskId"], urgent)

    def test_it_keeps_its_place_among_its_like(self) -> None:
        first, second = self.create(priority="low"), self.create(priority="high")
        third = self.create(priority="high")
        self.ask("queue", "POST", f"/task/{first}/priority", {"newPriority": "high"})
        self.assertEqual([self.claim()["status"]["taskId"] for _ in range(3)], [first, second, third])

    def test_of_a_task_that_does_not_wait(self) -> None:
        run, _ = self.run_of_own()
        task_id = run.split("/")[2]
        unscheduled = self.create(dependencies=[task_id])
        for one in (task_id, unscheduled):
            self.ask("queue", "POST", f"/task/{one}/priority", {"newPriority": "high"})
            self.assertEqual(self.status(one)["priority"], "high")
        self.assertEqual(self.status(unscheduled)["state"], "unscheduled")

    def test_the_same_again_is_refused(self) -> None:
        task_id = self.create(priority="high")
        self.refused("queue", 409, "RequestConflict", "POST", f"/task/{task_id}/priority", {"newPriority": "high"})

    def test_who_may(self) -> None:
        task_id = self.create()
        path = f"/task/{task_id}/priority"
        self.refused("queue", 404, "ResourceNotFound", "POST", f"/task/{NICE}/priority", {"newPriority": "low"})
        self.refused("queue", 403, "InsufficientScopes", "POST", path, {"newPriority": "low"}, self.with_scopes())
        for scope, priority in ((f"priority:{task_id}", "low"), ("priority-in-queue:prov/type", "high")):
            body = {"newPriority": priority}
            self.ask("queue", "POST", path, body, self.with_scopes(f"queue:change-task-{scope}"))


class Scheduling(WireTestCase):
    def test_it_does_not_wait_any_longer_for_others(self) -> None:
        waiting = self.create(dependencies=[self.create()])
        for _ in range(2):
            status = self.ask("queue", "POST", f"/task/{waiting}/schedule")["status"]
            self.assertEqual((status["state"], len(status["runs"])), ("pending", 1))

    def test_not_after_the_deadline(self) -> None:
        waiting = self.create(dependencies=[self.create()], deadline=self.date(seconds=5))
        self.reactor.advance(6)
        self.refused("queue", 409, "RequestConflict", "POST", f"/task/{waiting}/schedule")


class Ending(WireTestCase):
    def test_a_run_is_reported_by_its_own_credentials(self) -> None:
        for verb, state in (("completed", "completed"), ("failed", "failed")):
            run, credentials = self.run_of_own()
            status = self.ask("queue", "POST", f"{run}/{verb}", None, credentials)["status"]
            self.assertEqual(status["state"], state)

    def test_the_credentials_of_one_run_are_not_those_of_another(self) -> None:
        run, _ = self.run_of_own()
        _, others = self.run_of_own()
        self.refused("queue", 403, "InsufficientScopes", "POST", f"{run}/completed", None, others)

    def test_an_exception_with_a_retry(self) -> None:
        run, credentials = self.run_of_own()
        self.ask("queue", "POST", f"{run}/exception", {"reason": "worker-shutdown"}, credentials)
        self.assertEqual(self.claim()["runId"], 1)

    def test_a_reason_that_workers_do_not_have(self) -> None:
        run, credentials = self.run_of_own()
        for reason in ("canceled", "deadline-exceeded", "claim-expired", ""):
            self.refused(
                "queue", 400, "InputValidationError", "POST", f"{run}/exception", {"reason": reason}, credentials
            )

    def test_a_task_that_is_cancelled_is_nobodys(self) -> None:
        task_id = self.create()
        self.ask("queue", "POST", f"/task/{task_id}/cancel")
        self.assertEqual(self.ends(task_id), [("exception", "canceled")])
        pending = self.begin(
            "POST", "/api/queue/v1/claim-work/prov/type", {"workerGroup": "g", "workerId": "w"}, self.root
        )
        self.assertFalse(pending.answered)

    def test_a_run_that_was_cancelled_cannot_be_reported(self) -> None:
        run, credentials = self.run_of_own()
        self.ask("queue", "POST", f"{run.removesuffix('/runs/0')}/cancel")
        for path, body in (
            ("reclaim", None),
            ("completed", None),
            ("failed", None),
            ("exception", {"reason": "internal-error"}),
        ):
            self.refused("queue", 409, "RequestConflict", "POST", f"{run}/{path}", body, credentials)

    def test_who_may_cancel(self) -> None:
        task_id = self.create(projectId="mine", schedulerId="sched")
        path = f"/task/{task_id}/cancel"
        self.refused(
            "queue", 403, "InsufficientScopes", "POST", path, None, self.with_scopes("queue:cancel-task-in-project:x")
        )
        self.refused("queue", 404, "ResourceNotFound", "POST", f"/task/{NICE}/cancel", None, self.with_scopes())
        for scope in (f"queue:cancel-task:sched/{task_id}/*", "queue:cancel-task-in-project:mine"):
            self.ask("queue", "POST", path, None, self.with_scopes(scope))

    def test_a_rerun_waits_again(self) -> None:
        run, credentials = self.run_of_own()
        self.ask("queue", "POST", f"{run}/failed", None, credentials)
        self.ask("queue", "POST", f"{run.removesuffix('/runs/0')}/rerun")
        self.assertEqual(self.claim()["runId"], 1)
