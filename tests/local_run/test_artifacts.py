"""Artifacts brought onto the disk."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl

from twisted.internet import reactor
from twisted.internet.defer import Deferred, fail, succeed
from twisted.trial.unittest import TestCase

from tcworker.client.http import Answer
from tcworker.client.routes import routes
from tcworker.errors import Unreachable
from tcworker.local_run.artifacts import Downloads, Fetched
from tcworker.waiting import Threads


class Pages:
    """A queue with artifacts, one a page."""

    def __init__(self, artifacts: Mapping[str, Any]) -> None:
        self._artifacts = artifacts

    def list_artifacts(self, task_id: str, run_id: int, **query: str) -> Deferred[Any]:
        # Through the real table, which refuses what it does not know.
        asked = dict(parse_qsl(routes("queue")["list_artifacts"].query_string(query).removeprefix("?")))
        index, names = int(asked.get("continuationToken", "0")), list(self._artifacts)
        more = {"continuationToken": str(index + 1)} if index + 1 < len(names) else {}
        return succeed({"artifacts": [{"name": name} for name in names[index : index + 1]], **more})

    def artifact(self, task_id: str, run_id: int, name: str) -> Deferred[Any]:
        return succeed(self._artifacts[name])


class Contents:
    """HTTP that has something at each address."""

    def __init__(self, contents: Mapping[str, bytes | int]) -> None:
        self._contents = contents

    def download(self, url: str, write: Callable[[bytes], None]) -> Deferred[Answer]:
        content = self._contents.get(url)
        if content is None:
            return fail(Unreachable("GET", "nobody there"))
        if isinstance(content, int):
            return succeed(Answer(content, {}, b""))
        write(content[:2])
        write(content[2:])
        return succeed(Answer(200, {}, b""))


class Fetching(TestCase):
    timeout = 20

    def setUp(self) -> None:
        self.folder = self.mktemp()

    async def fetch(self, artifacts: Mapping[str, Any], contents: Mapping[str, bytes | int] = {}) -> Fetched:
        threads = Threads(reactor, 1, "test")  # type: ignore[arg-type]  # the module stands for the reactor
        self.addCleanup(threads.stop)
        downloads = Downloads(Contents(contents), Pages(artifacts), threads)  # type: ignore[arg-type]  # fakes
        return await downloads.fetch("t", 0, self.folder)

    def read(self, name: str) -> bytes:
        with open(os.path.join(self.folder, name), "rb") as file:
            return file.read()

    async def test_all_pages_by_their_names(self) -> None:
        artifacts = {name: {"storageType": "s3", "url": f"u:{name}"} for name in ("public/a", "public/b/c")}
        fetched = await self.fetch(artifacts, {"u:public/a": b"first", "u:public/b/c": b"second"})
        self.assertEqual(fetched, Fetched(2, []))
        self.assertEqual((self.read("public/a"), self.read("public/b/c")), (b"first", b"second"))

    async def test_what_cannot_be_had_keeps_no_other_away(self) -> None:
        artifacts = {
            "gone": {"storageType": "error", "reason": "file-missing-on-worker", "message": "no such file"},
            "elsewhere": {"storageType": "reference", "url": "https://example.com/x"},
            "lost": {"storageType": "s3", "url": "u:nowhere"},
            "refused": {"storageType": "s3", "url": "u:refused"},
            "fine": {"storageType": "s3", "url": "u:fine"},
        }
        fetched = await self.fetch(artifacts, {"u:refused": 403, "u:fine": b"here"})
        self.assertEqual(fetched.files, 1)
        self.assertEqual(
            fetched.problems,
            [
                "gone: file-missing-on-worker: no such file",
                "elsewhere: is at https://example.com/x",
                "lost: GET: nobody there",
                "refused: the server answered 403",
            ],
        )

    async def test_no_name_leads_out_of_the_folder(self) -> None:
        names = ("../a", "/etc/passwd", "public/../../a", "a//b", ".")
        fetched = await self.fetch({name: {"storageType": "s3", "url": "u"} for name in names}, {"u": b"evil"})
        self.assertEqual(fetched.files, 0)
        self.assertEqual(len(fetched.problems), len(names))
        self.assertNotIn(os.path.basename(self.folder), os.listdir(os.path.dirname(self.folder)))

    async def test_one_name_inside_another(self) -> None:
        fetched = await self.fetch({name: {"storageType": "s3", "url": "u"} for name in ("a", "a/b")}, {"u": b"x"})
        self.assertEqual(fetched.files, 1)
        self.assertIn("a/b: ", fetched.problems[0])
