from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any, NoReturn, cast

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tcworker.client.services import Index, Queue
from tcworker.client.trouble import Denied
from tcworker.download.address import Address
from tcworker.download.contents import Contents
from tcworker.download.downloads import Downloads
from tcworker.download.passing import Hopeless, Passing
from tcworker.download.servers import Servers
from tcworker.download.sources import Services
from tcworker.errors import (
    CallFailed,
    ContentChanged,
    DownloadFailed,
    MalformedPayload,
    ResourceUnavailable,
    TaskError,
    Unreachable,
)
from tcworker.interfaces import IContent
from tcworker.testing.contents import MemorySink
from tcworker.waiting import Executor, pause
from tests.download.case import DATA, SHA256, TASK, ContentsCase, Taskcluster
from tests.integration.bad_server import Asked, Wire, content, hang, redirect, status
from tests.surroundings import until

ARTIFACT = {"taskId": TASK, "artifact": "public/a.tar"}


def no_head(wire: Wire, asked: Asked) -> None:
    """Behave, for those who want to have it; a refusal for those who only ask."""
    behaviour = status(403) if asked.method == "HEAD" else content(DATA)
    behaviour(wire, asked)


class InlineTests(ContentsCase):
    """Content that stands in the payload."""

    async def taken(self, **given: str) -> bytes:
        found = await self.resolve(**given)
        sink = MemorySink()
        fetched = await self.contents.fetch(found, sink, self.said.append)
        digest = hashlib.sha256(sink.data).hexdigest()
        self.assertEqual((fetched.sha256, fetched.size, found.sha256), (digest, len(sink.data), digest))
        self.assertTrue(sink.finished and found.lasting)
        return sink.data

    async def test_text_is_what_it_is(self) -> None:
        self.assertEqual(await self.taken(raw="grüße\n"), "grüße\n".encode())

    async def test_base64_is_decoded(self) -> None:
        self.assertEqual(await self.taken(base64="aGVsbG8="), b"hello")

    async def test_the_same_bytes_have_the_same_key(self) -> None:
        text, encoded = await self.resolve(raw="hello"), await self.resolve(base64="aGVsbG8=")
        other = await self.resolve(raw="hello!")
        self.assertEqual(text.key, encoded.key)
        self.assertNotEqual(text.key, other.key)
        self.assertNotIn("hello", text.key + text.words)

    async def test_a_sink_that_takes_it_not_is_left(self) -> None:
        self.sink.refuse = OSError(28, "No space left on device")
        with self.assertRaises(OSError):
            await self.contents.fetch(await self.resolve(raw="hello"), self.sink, self.said.append)
        self.assertEqual((self.sink.finished, self.sink.abandoned), (False, True))

    async def test_what_is_neither_is_malformed(self) -> None:
        self.assertIn("base64: ", await self.failure(self.resolve(base64="aGVsbG8"), MalformedPayload))
        self.assertIn("raw: ", await self.failure(self.resolve(raw="\ud800"), MalformedPayload))


class AddressTests(ContentsCase):
    """Addresses, and how their content is known again."""

    async def key(self, url: str, **more: Any) -> str:
        return (await self.resolve(url=url, **more)).key

    async def test_with_a_checksum_nobody_is_asked(self) -> None:
        found = await self.resolve(url="http://127.0.0.1:9/a", sha256=SHA256)
        self.assertEqual((found.sha256, found.lasting), (SHA256, True))

    async def test_one_checksum_at_another_address_is_another_key(self) -> None:
        first = await self.key("http://127.0.0.1:9/a?one", sha256=SHA256)
        self.assertNotEqual(first, await self.key("http://127.0.0.1:9/a?two", sha256=SHA256))
        self.assertEqual(first, await self.key("http://127.0.0.1:9/a?one", sha256=SHA256))

    async def test_no_secret_is_in_a_key(self) -> None:
        found = await self.resolve(url="http://user:password@127.0.0.1:9/a?signature=secret", sha256=SHA256)
        for text in (found.key, found.words, repr(found)):
            self.assertNotIn("secret", text)
            self.assertNotIn("password", text)

    async def test_a_key_changes_with_what_the_server_says(self) -> None:
        url = self.server.serve("/a", content(DATA), content(DATA), content(DATA, '"two"'))
        keys = [await self.key(url) for _ in range(3)]
        self.assertEqual((keys[0] == keys[1], keys[1] == keys[2]), (True, False))
        self.assertEqual([asked.method for asked in self.server.asked], ["HEAD"] * 3)

    async def test_a_date_tells_it_too(self) -> None:
        dates = [{"Last-Modified": f"Wed, 25 Nov 2026 10:00:0{second} GMT"} for second in (0, 0, 1)]
        url = self.server.serve("/a", *(content(DATA, "", date) for date in dates))
        keys = [await self.key(url) for _ in range(3)]
        self.assertEqual((keys[0] == keys[1], keys[1] == keys[2]), (True, False))

    async def test_what_cannot_be_known_again_is_not_worth_keeping(self) -> None:
        url = self.server.serve("/a", content(DATA, ""))
        first, second = await self.resolve(url=url), await self.resolve(url=url)
        self.assertEqual((first.lasting, second.lasting, first.key == second.key), (False, False, False))

    async def test_servers_that_do_not_know_the_question_are_asked_for_all_and_cut_short(self) -> None:
        url = self.server.serve("/a", no_head)
        self.assertEqual(await self.key(url), await self.key(url))
        self.assertEqual([asked.method for asked in self.server.asked], ["HEAD", "GET"] * 2)

    async def test_nothing_goes_on_of_an_answer_that_was_cut_short(self) -> None:
        def answer(wire: Wire, asked: Asked) -> None:
            behaviour = status(405) if asked.method == "HEAD" else hang(DATA[:1000], len(DATA))
            behaviour(wire, asked)

        await self.resolve(url=self.server.serve("/a", answer))
        # Long before it would be given up for its silence.
        await until(lambda: not self.server.open, self.seconds / 4)

    async def test_redirects_are_followed_to_the_one_who_knows(self) -> None:
        self.server.serve("/b", content(DATA))
        self.assertTrue((await self.resolve(url=self.server.serve("/a", redirect("/b")))).lasting)

    async def test_what_is_not_there_is_told_at_once(self) -> None:
        why = await self.failure(self.resolve(url=f"{self.server.root}/a?x=secret"), DownloadFailed)
        self.assertIn(f"{self.server.root}/a?…: 127.0.0.1 answered 404", why)
        self.assertNotIn("secret", why)

    async def test_trouble_is_waited_for_and_told(self) -> None:
        url = self.server.serve("/a", status(503), status(503), content(DATA))
        self.assertTrue((await self.resolve(url=url)).lasting)
        self.assertIn("trying again", self.said[0])

    async def test_only_http_is_spoken(self) -> None:
        for url in (
            "file:///etc/passwd",
            "ftp://example.com/a",
            "/a",
            "http:///a",
            "http://[/",
            "http://a:b/",
            "data:,a",
        ):
            why = await self.failure(self.resolve(url=url, sha256=SHA256), MalformedPayload)
            self.assertIn("url: ", why)

    async def test_what_would_colour_the_log_is_written_as_what_it_is(self) -> None:
        found = await self.resolve(url="http://127.0.0.1:9/a\x1b[31m", sha256=SHA256)
        self.assertEqual(found.words, "http://127.0.0.1:9/a\\x1b[31m")
        why = await self.failure(self.resolve(url="http://\ud800/\x1b[31m"), MalformedPayload)
        self.assertTrue(why.isprintable())

    async def test_hosts_that_nobody_can_have_are_not_looked_for(self) -> None:
        hosts = (
            "a..b",
            ".",
            ".a",
            "a" * 64,
            "a." * 128,
            "a b",
            "a\x00b",
            "a%41",
            "\u2100.com",
            "xn--\xfc",
            "\u202ea",
            "[v1.x]",
            "[fe80::1%25lo]",
        )
        for host in hosts:
            why = await self.failure(self.resolve(url=f"http://{host}/", sha256=SHA256), MalformedPayload)
            self.assertIn("url: ", why)
            self.assertTrue(why.isprintable())

    async def test_hosts_that_somebody_may_have_are(self) -> None:
        for host in ("a.b.", "a_b.c", "b\xe4r.de", "a" * 63, "[::1]", "10.1", "xn--br-via.de", "u:p@a-b.c:80"):
            self.assertTrue((await self.resolve(url=f"http://{host}/", sha256=SHA256)).lasting, host)

    async def test_half_of_a_character_is_in_no_address(self) -> None:
        for url in ("http://\ud800/", "http://a/\ud800", "http://a/?\ud800", "http://\ud800@a/"):
            self.assertIn("url: ", await self.failure(self.resolve(url=url, sha256=SHA256), MalformedPayload))

    async def test_what_its_server_has_another_state_of_is_not_taken_for_it(self) -> None:
        def two_minds(wire: Wire, asked: Asked) -> None:
            behaviour = content(DATA, '"two"') if asked.method == "HEAD" else content(DATA[1:], '"one"')
            behaviour(wire, asked)

        found = await self.resolve(url=self.server.serve("/a", two_minds))
        why = await self.failure(self.contents.fetch(found, self.sink, self.said.append), ContentChanged)
        self.assertIn("another one meanwhile", why)
        self.assertEqual((self.sink.data, self.sink.abandoned), (b"", True))
        await self.taken_as_it_is(found, DATA[1:])

    async def test_what_changes_while_it_comes_is_not_taken_for_it(self) -> None:
        states = [content(DATA), content(DATA, cut=300_000), content(DATA[1:], '"two"')]
        found = await self.resolve(url=self.server.serve("/a", *states))
        await self.failure(self.contents.fetch(found, self.sink, self.said.append), ContentChanged)
        await self.taken_as_it_is(found, DATA[1:])

    async def taken_as_it_is(self, found: IContent, data: bytes) -> None:
        """Check that what there is can be had, though not kept as what there was."""
        now = self.contents.unpinned(found)
        await self.contents.fetch(now, self.sink, self.said.append)
        self.assertTrue(self.sink.data == data)
        self.assertFalse(now.lasting)
        self.assertEqual(len({found.key, now.key, self.contents.unpinned(found).key}), 3)

    async def test_nobody_is_asked_for_a_state_that_does_not_matter(self) -> None:
        url = self.server.serve("/a", content(DATA))
        found = await self.unpinned(url=url)
        self.assertEqual(self.server.asked, [])
        await self.contents.fetch(found, self.sink, self.said.append)
        self.assertTrue(self.sink.data == DATA)
        self.assertEqual([asked.method for asked in self.server.asked], ["GET"])
        self.assertEqual((found.lasting, found.key == (await self.unpinned(url=url)).key), (False, False))

    async def test_what_is_wrong_with_an_address_is_told_all_the_same(self) -> None:
        self.assertIn("url: ", await self.failure(self.unpinned(url="file:///etc/passwd"), MalformedPayload))
        denied = await self.unpinned(url="http://169.254.169.254/latest/meta-data/")
        why = await self.failure(self.contents.fetch(denied, self.sink, self.said.append), DownloadFailed)
        self.assertIn("mounts.denyNetworks", why)
        gone = await self.unpinned(url=f"{self.server.root}/gone")
        why = await self.failure(self.contents.fetch(gone, self.sink, self.said.append), DownloadFailed)
        self.assertIn("answered 404", why)

    async def test_a_text_in_the_payload_is_what_it_is_in_any_state(self) -> None:
        self.assertTrue((await self.unpinned(raw="hello")).lasting)

    async def test_a_denied_network_is_not_asked(self) -> None:
        why = await self.failure(self.resolve(url="http://169.254.169.254/latest/meta-data/"), DownloadFailed)
        self.assertIn("169.254.169.254 is in a network that this worker's configuration denies", why)
        self.assertTrue(issubclass(Denied, Unreachable))


class ArtifactTests(ContentsCase):
    """Artifacts, whose addresses the queue gives with the run's credentials."""

    denied = ("127.0.0.0/8",)

    def has(self, *answers: Mapping[str, Any] | Exception) -> None:
        self.taskcluster.artifacts[f"{TASK}/public/a.tar"] = list(answers)

    def s3(self, path: str = "/bucket/run/0", query: str = "?signature=secret") -> Mapping[str, Any]:
        return {"storageType": "s3", "url": f"{self.server.root}{path}{query}"}

    async def whole(self, **more: str) -> str:
        found = await self.resolve(**ARTIFACT, **more)
        await self.contents.fetch(found, self.sink, self.said.append)
        self.assertTrue(self.sink.finished and self.sink.data == DATA)
        return found.key

    async def test_an_artifact_comes_from_where_the_queue_says_even_in_a_denied_network(self) -> None:
        self.has(self.s3())
        self.server.serve("/bucket/run/0", content(DATA))
        await self.whole(sha256=SHA256)
        self.assertIn(f"downloaded artifact public/a.tar of task {TASK}: 1.0 MB", self.said[-1])
        self.assertNotIn("secret", "".join(self.said))

    async def test_where_a_storage_leads_the_worker_does_not_follow_everywhere(self) -> None:
        self.has(self.s3())
        self.server.serve("/bucket/run/0", redirect(f"{self.server.root}/else"))
        found = await self.resolve(**ARTIFACT)
        why = await self.failure(self.contents.fetch(found, self.sink, self.said.append), DownloadFailed)
        self.assertIn("denies", why)

    async def test_the_queue_is_asked_at_each_use_for_what_it_may_refuse(self) -> None:
        refusal = CallFailed("latestArtifact", 403, "InsufficientScopes", "you lack queue:get-artifact:public/a.tar")
        self.has(self.s3(), refusal)
        await self.resolve(**ARTIFACT, sha256=SHA256)
        why = await self.failure(self.resolve(**ARTIFACT, sha256=SHA256), DownloadFailed)
        self.assertIn("you lack queue:get-artifact:public/a.tar", why)

    async def test_a_key_is_of_one_run_whatever_the_signature_is(self) -> None:
        self.has(self.s3(), self.s3(query="?signature=other"), self.s3("/bucket/run/1"))
        keys = [(await self.resolve(**ARTIFACT)).key for _ in range(3)]
        self.assertEqual((keys[0] == keys[1], keys[1] == keys[2]), (True, False))
        self.assertIn(f"artifact public/a.tar of task {TASK} ", keys[0])

    async def test_each_attempt_gets_a_fresh_address(self) -> None:
        self.has(self.s3(), self.s3(query="?signature=old"), self.s3(query="?signature=new"))
        self.server.serve("/bucket/run/0", content(DATA, cut=300_000), content(DATA))
        await self.whole()
        self.assertEqual(self.offsets("/bucket/run/0?signature=old"), [None])
        self.assertEqual(self.offsets("/bucket/run/0?signature=new"), [300_000])

    async def test_what_a_later_run_published_is_not_taken_for_that_of_an_earlier_one(self) -> None:
        self.has(self.s3(), self.s3("/bucket/run/1"))
        self.server.serve("/bucket/run/1", content(DATA))
        found = await self.resolve(**ARTIFACT)
        why = await self.failure(self.contents.fetch(found, self.sink, self.said.append), ContentChanged)
        self.assertIn("published anew", why)
        await self.contents.fetch(self.contents.unpinned(found), self.sink, self.said.append)
        self.assertTrue(self.sink.data == DATA)

    async def test_where_it_comes_from_does_not_matter_with_a_checksum(self) -> None:
        self.has(self.s3(), self.s3("/bucket/run/1"))
        self.server.serve("/bucket/run/1", content(DATA))
        await self.whole(sha256=SHA256)

    async def test_whether_it_may_be_had_is_asked_of_the_queue_in_any_state(self) -> None:
        refusal = CallFailed("latestArtifact", 403, "InsufficientScopes", "you lack queue:get-artifact:public/a.tar")
        self.has(self.s3(), refusal)
        found = await self.unpinned(**ARTIFACT)
        self.assertFalse(found.lasting)
        self.assertIn("you lack", await self.failure(self.unpinned(**ARTIFACT), DownloadFailed))

    async def test_a_reference_is_an_address_of_a_stranger(self) -> None:
        self.has({"storageType": "reference", "url": f"{self.server.root}/a"})
        self.assertIn("denies", await self.failure(self.resolve(**ARTIFACT), DownloadFailed))

    async def test_neither_is_it_trusted_when_it_is_fetched(self) -> None:
        """With a checksum nobody asks its server before that."""
        self.has({"storageType": "reference", "url": self.server.serve("/a", content(DATA))})
        found = await self.resolve(**ARTIFACT, sha256=SHA256)
        why = await self.failure(self.contents.fetch(found, self.sink, self.said.append), DownloadFailed)
        self.assertIn("denies", why)
        self.assertEqual((self.server.asked, self.sink.data), ([], b""))

    async def test_an_object_is_checked_by_what_the_object_service_knows(self) -> None:
        credentials = {"clientId": "download", "accessToken": "token"}
        self.has({"storageType": "object", "name": "t/x", "credentials": credentials})
        url = self.server.serve("/object", content(DATA))
        sha512 = hashlib.sha512(DATA).hexdigest()
        for hashes in ({"sha256": SHA256, "md5": "x"}, {"sha512": sha512}, {"sha256": SHA256, "sha512": sha512}):
            self.taskcluster.objects["t/x"] = {"url": url, "hashes": hashes}
            await self.whole()
        self.assertEqual(self.taskcluster.given.client_id, "download")

    async def test_digits_of_its_checksums_may_be_written_either_way(self) -> None:
        self.has({"storageType": "object", "name": "t/x", "credentials": {"clientId": "a", "accessToken": "b"}})
        url = self.server.serve("/object", content(DATA))
        self.taskcluster.objects["t/x"] = {"url": url, "hashes": {"sha256": SHA256.upper()}}
        await self.whole()

    async def test_an_object_that_is_not_what_the_task_wants_is_not_even_fetched(self) -> None:
        self.has({"storageType": "object", "name": "t/x", "credentials": {"clientId": "a", "accessToken": "b"}})
        url = self.server.serve("/object", content(DATA))
        self.taskcluster.objects["t/x"] = {"url": url, "hashes": {"sha256": SHA256}}
        found = await self.resolve(**ARTIFACT, sha256="0" * 64)
        why = await self.failure(self.contents.fetch(found, self.sink, self.said.append), DownloadFailed)
        self.assertIn(f"it has the sha256 {SHA256}, not {'0' * 64}, as the object service says", why)
        self.assertEqual(self.server.asked, [])

    async def test_an_object_that_is_another_or_cannot_be_checked_is_refused(self) -> None:
        self.has({"storageType": "object", "name": "t/x", "credentials": {"clientId": "a", "accessToken": "b"}})
        url = self.server.serve("/object", content(DATA))
        told: tuple[dict[str, str], ...] = {"sha512": "0" * 128}, {"sha256": "0" * 64}, {"md5": "0"}, {}
        for hashes in told:
            self.taskcluster.objects["t/x"] = {"url": url, "hashes": hashes}
            found = await self.resolve(**ARTIFACT)
            await self.failure(self.contents.fetch(found, self.sink, self.said.append), DownloadFailed)
        self.assertFalse(self.sink.finished)

    async def test_an_error_artifact_says_why_it_is_none(self) -> None:
        self.has({"storageType": "error", "reason": "file-missing-on-worker", "message": "no a.tar"})
        why = await self.failure(self.resolve(**ARTIFACT), DownloadFailed)
        self.assertIn("could not publish it: file-missing-on-worker: no a.tar", why)

    async def test_what_would_colour_the_log_is_written_as_what_it_is(self) -> None:
        name, shown = "public/\x1b[31m\n\u202e", "public/\\x1b[31m\\n\\u202e"
        said = {"storageType": "error", "reason": "\x1b[1m", "message": "no\nfile"}
        self.taskcluster.artifacts[f"{TASK}/{name}"] = [said]
        self.taskcluster.tasks["a.\x07"] = TASK
        why = await self.failure(self.resolve(namespace="a.\x07", artifact=name), DownloadFailed)
        self.assertIn(f"artifact {shown} of task {TASK} (a.\\x07 in the index): ", why)
        self.assertIn("\\x1b[1m: no\\nfile", why)
        self.assertTrue(all(line.isprintable() for line in (why, *self.said)))

    async def test_half_of_a_character_is_in_no_name(self) -> None:
        for given in ({**ARTIFACT, "artifact": "\ud800"}, {"namespace": "a.\ud800", "artifact": "a"}):
            why = await self.failure(self.resolve(**given), MalformedPayload)
            self.assertIn("half of a character at ", why)
        self.assertEqual(self.taskcluster.asked, [])

    async def test_what_is_not_there_fails_the_task(self) -> None:
        why = await self.failure(self.resolve(**ARTIFACT), DownloadFailed)
        self.assertIn(f"artifact public/a.tar of task {TASK}: latestArtifact: 404 ResourceNotFound", why)

    async def test_the_index_is_asked_at_each_use(self) -> None:
        other = "fN1SbArXTPSVFNUvaOlinQ"
        self.taskcluster.artifacts = {f"{task}/public/a": [self.s3(f"/{task}")] for task in (TASK, other)}
        keys = []
        for task in (TASK, other):
            self.taskcluster.tasks["project.latest"] = task
            found = await self.resolve(namespace="project.latest", artifact="public/a")
            keys.append(found.key)
            self.assertEqual(self.said, [f"project.latest is task {task} in the index"])
            self.said.clear()
            self.assertEqual(found.words, f"artifact public/a of task {task}")
        self.assertNotEqual(*keys)
        self.assertEqual(keys[0], (await self.resolve(taskId=TASK, artifact="public/a")).key)

    async def test_who_waits_for_the_same_is_not_told_where_others_found_it(self) -> None:
        self.taskcluster.tasks["private.name"] = TASK
        self.taskcluster.artifacts[f"{TASK}/public/a"] = [self.s3("/gone")]
        found = await self.resolve(namespace="private.name", artifact="public/a")
        self.said.clear()
        why = await self.failure(self.contents.fetch(found, self.sink, self.said.append), DownloadFailed)
        self.assertIn(f"artifact public/a of task {TASK}: 127.0.0.1 answered 404", why)
        self.assertNotIn("private.name", "".join([why, found.key, found.words, *self.said]))

    async def test_nothing_in_the_index_fails_the_task(self) -> None:
        why = await self.failure(self.resolve(namespace="project.latest", artifact="public/a"), DownloadFailed)
        self.assertIn("project.latest in the index: findTask: 404", why)


class AwayTests(ContentsCase):
    """Taskcluster that does not answer."""

    seconds = 0.3

    async def test_is_not_the_tasks_fault(self) -> None:
        for error in (Unreachable("latestArtifact", "refused"), CallFailed("latestArtifact", 500, "", "no")):
            self.taskcluster.artifacts = {f"{TASK}/public/a.tar": [error]}
            why = await self.failure(self.resolve(**ARTIFACT), ResourceUnavailable)
            self.assertIn("given up after 0.3 s", why)


class Silent:
    """Servers that say nothing, or refuse some methods, by a clock.

    @ivar asked: the methods, and when.
    """

    def __init__(self, clock: Clock, refused: str = "") -> None:
        self._clock = clock
        self._refused = refused
        self.asked: list[tuple[str, float]] = []

    async def ask(
        self, method: str, address: Address, headers: Mapping[str, str], silence: Callable[[], float]
    ) -> NoReturn:
        self.asked.append((method, self._clock.seconds()))
        if method == self._refused:
            raise Hopeless("405")
        await pause(self._clock, silence())
        raise Passing("nothing moved")


class HangingTaskcluster(Taskcluster):
    """One whose calls are answered late, or never.

    @ivar answering: when an answer comes, in seconds of the clock, by the call.
    """

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock
        self.answering: dict[str, float] = {}

    def find_task(self, namespace: str) -> Deferred[Any]:
        return self._late("find_task", {"taskId": TASK})

    def latest_artifact(self, task_id: str, name: str) -> Deferred[Any]:
        return self._late("latest_artifact", {"storageType": "reference", "url": "http://192.0.2.1/a"})

    def _late(self, call: str, answer: Mapping[str, Any]) -> Deferred[Any]:
        self.asked.append(call)
        seconds = self.answering.get(call)
        if seconds is None:
            return Deferred()
        return pause(self._clock, seconds).addCallback(lambda _: answer)


class PatienceTests(SynchronousTestCase):
    """How long it takes until something is given up that never answers."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.servers = Silent(self.clock)
        self.taskcluster: Any = HangingTaskcluster(self.clock)

    def given_up(self, kind: type[TaskError] = DownloadFailed, **content: str) -> float:
        """The seconds after which a content is given up."""
        services = Services(cast(Queue, self.taskcluster), cast(Index, self.taskcluster), self.taskcluster.of)
        downloads = Downloads(cast(Servers, self.servers), cast(Executor, None), self.clock, 120)
        resolving = Contents(services, downloads).resolve(content, lambda line: None)
        began = self.clock.seconds()
        while not resolving.called and self.clock.seconds() - began < 1000:
            self.clock.advance(0.25)
        why = self.failureResultOf(resolving, kind).getErrorMessage()
        self.assertIn("given up after 120 s without success", why)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        return self.clock.seconds() - began

    def test_a_server_that_never_answers(self) -> None:
        self.assertLessEqual(self.given_up(url="http://192.0.2.1/a"), 121)
        self.assertEqual([method for method, _ in self.servers.asked][:2], ["HEAD", "GET"])

    def test_one_that_knows_only_one_question_and_answers_none(self) -> None:
        self.servers = Silent(self.clock, "HEAD")
        self.assertLessEqual(self.given_up(url="http://192.0.2.1/a"), 121)

    def test_a_queue_or_an_index_that_never_answers(self) -> None:
        asked: tuple[dict[str, str], ...] = (ARTIFACT, {"namespace": "a", "artifact": "b"})
        for given in asked:
            self.assertLessEqual(self.given_up(ResourceUnavailable, **given), 121)

    def test_all_that_is_asked_one_after_the_other(self) -> None:
        self.taskcluster.answering = {"find_task": 50.0, "latest_artifact": 50.0}
        self.assertLessEqual(self.given_up(namespace="a", artifact="b"), 121)
        self.assertEqual(self.taskcluster.asked, ["find_task", "latest_artifact"])
        self.assertEqual(self.servers.asked[0], ("HEAD", 100.0))
