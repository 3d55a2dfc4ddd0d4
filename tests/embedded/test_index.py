"""The index: tasks at paths, put there by callers and by themselves."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from typing import Any

from tcworker.embedded.outbox import Message, Outbox
from tcworker.interfaces import Credentials
from tests.embedded.wire import Answer, WireTestCase, target_of

PREFIX = "/api/index/v1"
TASK = "fN1SbArXTPSVFNUvaOlinQ"
OTHER = "Y1bYpqtJT6G1fWvq5dWgLQ"


class IndexTestCase(WireTestCase):
    def entry(self, **more: Any) -> dict[str, Any]:
        return {"taskId": TASK, "rank": 1, "data": {"a": 1}, "expires": self.date(days=1), **more}

    def put(self, path: str, **more: Any) -> Any:
        return self.ask("index", "PUT", f"/task/{path}", self.entry(**more))


class Entries(IndexTestCase):
    def test_what_is_put_is_found(self) -> None:
        put = self.put("a.b.c")
        self.assertEqual(
            put,
            {
                **{"namespace": "a.b.c", "taskId": TASK, "rank": 1, "data": {"a": 1}},
                "expires": "2027-01-16T08:00:00.000Z",
            },
        )
        self.assertEqual(self.ask("index", "GET", "/task/a.b.c"), put)
        self.refused("index", 404, "ResourceNotFound", "GET", "/task/a.b")

    def test_a_single_word_is_a_path(self) -> None:
        self.assertEqual(self.put("a")["namespace"], "a")
        self.assertEqual(self.ask("index", "GET", "/tasks")["tasks"], [self.ask("index", "GET", "/task/a")])

    def test_the_highest_rank_stays(self) -> None:
        self.put("a.b", rank=2)
        self.assertEqual(self.put("a.b", rank=1.5, taskId=OTHER)["taskId"], TASK)
        self.assertEqual(self.ask("index", "GET", "/task/a.b")["taskId"], TASK)
        self.assertEqual(self.put("a.b", rank=2, taskId=OTHER)["taskId"], OTHER)

    def test_an_entry_that_expired_is_not_there(self) -> None:
        self.put("a.b")
        self.reactor.advance(86_400)
        self.refused("index", 404, "ResourceNotFound", "GET", "/task/a.b")
        self.assertEqual(self.ask("index", "GET", "/tasks/a"), {"tasks": []})
        self.assertEqual(self.ask("index", "POST", "/tasks/indexes", {"indexes": ["a.b"]}), {"tasks": []})

    def test_it_is_deleted_whether_it_is_there_or_not(self) -> None:
        self.put("a.b")
        for _ in range(2):
            self.assertEqual(self.ask("index", "DELETE", "/task/a.b"), {})
        self.refused("index", 404, "ResourceNotFound", "GET", "/task/a.b")

    def test_paths_that_cannot_be(self) -> None:
        for path in ("a..b", ".a", "a.", "a%20b", "a%2Fb", "a" * 256, "%C3%A4"):
            self.refused("index", 400, "InvalidRequestArguments", "PUT", f"/task/{path}", self.entry())
        self.put("a!~*'().%25-_Z9." + "a" * 200)

    def test_entries_that_cannot_be(self) -> None:
        faults: list[dict[str, Any]] = [{"taskId": "x"}, {"rank": "1"}, {"rank": 1e300}, {"data": []}, {"x": 1}]
        for fault in [*faults, {"expires": "soon"}]:
            self.refused("index", 400, "InputValidationError", "PUT", "/task/a.b", {**self.entry(), **fault})

    def test_scopes(self) -> None:
        own = self.with_scopes("index:insert-task:a.*", "index:delete-task:a.b")
        self.ask("index", "PUT", "/task/a.b", self.entry(), own)
        self.assertEqual(self.call("PUT", f"{PREFIX}/task/b.b", self.entry(), own).status, 403)
        self.ask("index", "DELETE", "/task/a.b", None, own)

    def test_it_is_kept_over_a_restart(self) -> None:
        put = self.put("a.b")
        self.stop(self.taskcluster)
        self.taskcluster = self.start()
        self.assertEqual(self.ask("index", "GET", "/task/a.b"), put)


class Lists(IndexTestCase):
    def setUp(self) -> None:
        super().setUp()
        for path in ("a.c", "a.b", "a.b.d", "a.x.y.z", "e"):
            self.put(path)

    def names(self, what: str, path: str) -> list[str]:
        return [one["namespace"] for one in self.ask("index", "GET", f"/{path}")[what]]

    def test_tasks_of_a_namespace(self) -> None:
        self.assertEqual(self.names("tasks", "tasks/a"), ["a.b", "a.c"])
        self.assertEqual(self.names("tasks", "tasks/a.x"), [])
        self.assertEqual(self.names("tasks", "tasks/"), ["e"])

    def test_namespaces_of_a_namespace(self) -> None:
        self.assertEqual(self.names("namespaces", "namespaces"), ["a"])
        self.assertEqual(self.names("namespaces", "namespaces/a"), ["a.b", "a.x"])
        [namespace] = self.ask("index", "GET", "/namespaces/a.x")["namespaces"]
        self.assertEqual(namespace, {"namespace": "a.x.y", "name": "y", "expires": "2027-01-17T00:00:00.000Z"})

    def test_a_namespace_lasts_as_long_as_the_longest_in_it(self) -> None:
        self.put("a.b.late", expires=self.date(days=9)), self.put("a.b.soon", expires=self.date(hours=1))
        self.assertEqual(
            self.ask("index", "GET", "/namespaces")["namespaces"][0]["expires"], "2027-01-25T00:00:00.000Z"
        )
        self.reactor.advance(8 * 86_400)
        self.assertEqual(self.names("namespaces", "namespaces/a"), ["a.b"])

    def test_in_pages(self) -> None:
        for what in ("tasks", "namespaces"):
            page = self.ask("index", "GET", f"/{what}/a?limit=1")
            self.assertEqual(len(page[what]), 1)
            rest = self.ask("index", "GET", f"/{what}/a?continuationToken={page['continuationToken']}")
            self.assertEqual(len(rest[what]), 1)
            self.assertNotIn("continuationToken", rest)

    def test_of_several_paths(self) -> None:
        body = {"indexes": ["a.x.y.z", "a.b", "a.b", "none.such", "a", "..", "e"]}
        found = self.ask("index", "POST", "/tasks/indexes", body)["tasks"]
        self.assertEqual([one["namespace"] for one in found], ["a.b", "a.x.y.z"])
        page = self.ask("index", "POST", "/tasks/indexes?limit=1", body)
        self.assertEqual(page["tasks"], found[:1])
        rest = self.ask("index", "POST", f"/tasks/indexes?continuationToken={page['continuationToken']}", body)
        self.assertEqual(rest, {"tasks": found[1:]})
        self.assertEqual(self.ask("index", "POST", "/tasks/indexes", {}), {"tasks": []})

    def test_who_may_not_find_one_finds_none(self) -> None:
        own = self.with_scopes("index:find-task:a.b")
        self.assertEqual(self.call("POST", f"{PREFIX}/tasks/indexes", {"indexes": ["a.b"]}, own).status, 200)
        pending = self.begin("POST", f"{PREFIX}/tasks/indexes", {"indexes": ["a.b", "e"]})
        # Everybody may find tasks, by the role that everybody has.
        self.assertEqual(pending.answer().status, 200)


class ByThemselves(IndexTestCase):
    def complete(self, *routes: str, **more: Any) -> str:
        path, credentials = self.run_of_own(routes=list(routes), **more)
        self.ask("queue", "POST", f"{path}/completed", None, credentials)
        return path.split("/")[2]

    def test_a_completed_task_is_put_where_its_routes_say(self) -> None:
        expires = self.date(days=30)
        task_id = self.complete("index.a.b", "index.c", "other.d", "index.", expires=expires)
        for path in ("a.b", "c"):
            found = self.ask("index", "GET", f"/task/{path}")
            self.assertEqual((found["taskId"], found["rank"], found["data"]), (task_id, 0, {}))
            self.assertEqual(found["expires"], "2027-02-14T08:00:00.000Z")
        self.refused("index", 404, "ResourceNotFound", "GET", "/task/d")

    def test_as_its_extra_says(self) -> None:
        wanted = {"rank": 7, "data": {"x": 1}, "expires": self.date(days=3)}
        self.complete("index.a.b", extra={"index": wanted})
        found = self.ask("index", "GET", "/task/a.b")
        self.assertEqual((found["rank"], found["data"]), (7, {"x": 1}))
        self.assertEqual(found["expires"], "2027-01-18T08:00:00.000Z")
        self.complete("index.a.b", extra={"index": {"rank": 6}})
        self.assertEqual(self.ask("index", "GET", "/task/a.b")["rank"], 7)

    def test_what_it_says_may_be_nonsense(self) -> None:
        for number, wanted in enumerate(
            ({"rank": "1"}, {"rank": True}, {"rank": 1e300}, {"data": [1]}, {"expires": "soon"}, {"expires": None})
        ):
            self.complete(f"index.bad.n{number}", extra={"index": wanted})
        self.assertEqual(self.ask("index", "GET", "/tasks/bad"), {"tasks": []})
        self.complete("index.good", extra={"index": [1]})
        self.ask("index", "GET", "/task/good")

    def test_whatever_dies_after_the_queue_has_kept_that_it_is_completed(self) -> None:
        left = self.mktemp()

        def die(outbox: Outbox, messages: Iterable[Message]) -> None:
            if "task-completed" in [message.exchange for message in messages]:
                shutil.copytree(self.folder, left)

        self.patch(Outbox, "send", die)
        task_id = self.complete("index.a.b")
        # Somebody goes on with what was on the disk at that moment.
        self.folder = left
        self.start()
        self.assertEqual(self.ends(task_id), [("completed", "completed")])
        self.assertEqual(self.ask("index", "GET", "/task/a.b")["taskId"], task_id)

    def test_one_that_failed_is_not(self) -> None:
        path, credentials = self.run_of_own(routes=["index.a.b"])
        self.ask("queue", "POST", f"{path}/failed", None, credentials)
        self.refused("index", 404, "ResourceNotFound", "GET", "/task/a.b")


class Artifacts(IndexTestCase):
    def setUp(self) -> None:
        super().setUp()
        path, own = self.run_of_own(routes=["index.a.b"])
        for name in ("public/log", "private/log"):
            reference = {"storageType": "reference", "url": f"https://x.test/{name}", "contentType": "text/plain"}
            self.ask("queue", "POST", f"{path}/artifacts/{name}", {**reference, "expires": self.date(minutes=30)}, own)
        self.ask("queue", "POST", f"{path}/completed", None, own)

    def find(self, name: str, credentials: Credentials | None = None) -> Answer:
        return self.call("GET", f"{PREFIX}/task/a.b/artifacts/{name}", None, credentials)

    def follow(self, answer: Answer) -> Answer:
        self.assertEqual(answer.status, 303)
        return self.begin("GET", target_of(answer.headers["location"])).answer()

    def test_a_public_one_is_led_to_without_a_signature(self) -> None:
        answer = self.find("public/log")
        self.assertNotIn("bewit", answer.headers["location"])
        self.assertEqual(self.follow(answer).headers["location"], "https://x.test/public/log")

    def test_a_private_one_with_one(self) -> None:
        answer = self.find("private%2Flog", self.with_scopes("queue:get-artifact:private/*"))
        self.assertEqual(self.follow(answer).headers["location"], "https://x.test/private/log")

    def test_the_signature_is_good_for_a_quarter_of_an_hour(self) -> None:
        answer = self.find("private/log")
        self.reactor.advance(899)
        self.assertEqual(self.follow(answer).status, 303)
        self.reactor.advance(2)
        self.assertEqual(self.follow(answer).status, 401)

    def test_the_signature_is_good_for_nothing_else(self) -> None:
        target = target_of(self.find("private/log").headers["location"])
        other = self.begin("GET", target.replace("private%2Flog", "private%2Fother"))
        self.assertEqual(other.answer().status, 401)

    def test_only_for_those_who_may_read_it(self) -> None:
        answer = self.find("private/log", self.with_scopes("queue:get-artifact:other"))
        self.assertRefused(answer, 403, "InsufficientScopes")

    def test_of_a_path_where_nothing_is(self) -> None:
        self.refused("index", 404, "ResourceNotFound", "GET", "/task/a.none/artifacts/public/log")
