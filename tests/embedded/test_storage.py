"""The contents of artifacts."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from urllib.parse import quote

from twisted.internet.defer import Deferred, execute

from tests.embedded.storage_case import StorageTestCase
from tests.embedded.wire import InThisThread, Pending, target_of


class Uploads(StorageTestCase):
    def test_what_was_put_is_got(self) -> None:
        self.assertEqual(self.put(self.url, b"hello").status, 200)
        answer = self.download()
        self.assertEqual((answer.status, answer.content), (200, b"hello"))
        self.assertEqual(answer.headers["content-type"], "text/plain")
        self.assertNotIn("content-encoding", answer.headers)

    def test_its_encoding_is_kept(self) -> None:
        self.put(self.url, b"\x1f\x8b", Content_Encoding="gzip")
        answer = self.download()
        self.assertEqual((answer.headers["content-encoding"], answer.content), ("gzip", b"\x1f\x8b"))

    def test_a_large_one_goes_through_the_disk(self) -> None:
        content = os.urandom(1 << 20)
        self.assertEqual(self.put(self.url, content).status, 200)
        self.assertEqual(os.listdir(os.path.join(self.folder, "uploads")), [])
        self.assertEqual(self.download().content, content)

    def test_one_that_breaks_off_leaves_nothing(self) -> None:
        pending = self.send("PUT", target_of(self.url), b"x" * 150_000, {"Content-Type": "text/plain"}, 200_000)
        uploads = os.path.join(self.folder, "uploads")
        self.assertEqual(len(os.listdir(uploads)), 1)
        pending.hang_up()
        self.assertEqual((os.listdir(uploads), self.download().status), ([], 404))

    def test_one_that_breaks_off_leaves_what_was_there(self) -> None:
        self.put(self.url, b"old")
        for content in (b"x", b"x" * 150_000):
            self.send("PUT", target_of(self.url), content, {"Content-Type": "text/plain"}, 200_000).hang_up()
        self.assertEqual(self.download().content, b"old")

    def test_of_two_at_once_the_last_whole_one_counts(self) -> None:
        first, second = (self.begin_put(size) for size in (150_000, 200_000))
        second.more(b"2" * 200_000)
        first.more(b"1" * 150_000)
        self.assertEqual((first.answer().status, second.answer().status), (200, 200))
        self.assertEqual(self.download().content, b"1" * 150_000)
        self.assertEqual(len(os.listdir(os.path.join(self.folder, "artifacts"))), 1)

    def begin_put(self, size: int) -> Pending:
        return self.send("PUT", target_of(self.url), b"", {"Content-Type": "text/plain"}, size)

    def test_a_second_takes_the_place_of_the_first(self) -> None:
        for content in (b"first", b"second"):
            self.put(self.url, content)
        self.assertEqual(self.download().content, b"second")

    def test_nothing_is_there_before(self) -> None:
        self.assertEqual(self.download().status, 404)

    def test_what_cannot_be_kept_is_not_accepted(self) -> None:
        os.rename(os.path.join(self.folder, "artifacts"), os.path.join(self.folder, "elsewhere"))
        self.assertEqual(self.put(self.url, b"hello").status, 500)
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)

    def test_one_that_began_in_time_may_end_later(self) -> None:
        pending = self.begin_put(46_000)
        for _ in range(46):
            pending.more(b"x" * 1000)
            self.reactor.advance(60)
        self.assertEqual(pending.answer().status, 200)

    def test_headers_that_could_not_be_given_back(self) -> None:
        for encoding, status in (
            ("\u00fc", 400),
            ("a\tb\x0bc", 400),
            ("gzip br", 400),
            (",", 400),
            ("gzip; q=1", 400),
            ("gzip", 200),
            ("x-own, gzip", 200),
            ("identity", 200),
        ):
            self.assertEqual(self.put(self.url, b"x", Content_Encoding=encoding).status, status, encoding)

    def test_whoever_hangs_up_when_all_is_sent_has_uploaded_it(self) -> None:
        later: list[Callable[[], object]] = []
        self.patch(InThisThread, "run", lambda _, work, *args: wait_for(later, work, *args))
        pending = self.send("PUT", target_of(self.url), b"hello", {"Content-Type": "text/plain"})
        pending.hang_up()
        self.assertFalse(pending.answered)
        for work in iter(lambda: later.pop(0) if later else None, None):
            work()
        self.patch(InThisThread, "run", lambda _, work, *args: execute(work, *args))
        self.assertEqual(self.download().content, b"hello")

    def test_nobody_is_left_to_download_it(self) -> None:
        self.put(self.url, b"hello")
        down, later = self.download_url(), list[Callable[[], object]]()
        self.patch(InThisThread, "run", lambda _, work, *args: wait_for(later, work, *args))
        self.send("GET", target_of(down)).hang_up()
        for work in later:
            work()
        self.assertEqual(self.flushLoggedErrors(), [])


class Addresses(StorageTestCase):
    def test_another_type_than_was_said(self) -> None:
        answer = self.send("PUT", target_of(self.url), b"x", {"Content-Type": "text/html"}).answer()
        self.assertEqual(answer.status, 403)

    def test_another_object_method_or_signature(self) -> None:
        self.put(self.url, b"hello")
        down = self.download_url()
        for method, url in (
            ("PUT", self.url.replace("/public/a", "/public/b")),
            ("PUT", down),
            ("GET", self.url),
            ("GET", down.replace("signature=", "signature=0")),
            ("GET", down.split("?")[0]),
            ("GET", f"{down.split('?')[0]}?expires=x&signature=%FF"),
        ):
            answer = self.send(method, target_of(url), headers={"Content-Type": "text/plain"}).answer()
            self.assertEqual(answer.status, 403, url)
        self.assertEqual(self.send("POST", target_of(down)).answer().status, 405)

    def test_they_end(self) -> None:
        self.put(self.url, b"hello")
        down = self.download_url()
        self.reactor.advance(30 * 60)
        self.assertEqual(self.send("GET", target_of(down)).answer().status, 200)
        self.reactor.advance(1)
        self.assertEqual(self.send("GET", target_of(down)).answer().status, 403)
        self.reactor.advance(15 * 60 + 10)
        self.assertEqual(self.put(self.url, b"late").status, 403)

    def test_they_outlive_a_restart(self) -> None:
        self.put(self.url, b"hello")
        down = self.download_url()
        self.stop(self.taskcluster)
        self.start()
        self.assertEqual(self.send("GET", target_of(down)).answer().content, b"hello")

    def test_dates_that_are_none(self) -> None:
        target = target_of(self.url)
        for date in ("", "x", "9" * 5000, "\u0661"):
            changed = re.sub("expires=[0-9]+", f"expires={quote(date)}", target)
            answer = self.send("PUT", changed, b"x", {"Content-Type": "text/plain"}).answer()
            self.assertEqual(answer.status, 403)

    def test_other_headers_than_were_signed(self) -> None:
        target = target_of(self.url).replace("headers=content-type", "headers=")
        self.assertEqual(self.send("PUT", target, b"x", {"Content-Type": "text/html"}).answer().status, 403)

    def test_a_refusal_has_a_name(self) -> None:
        answer = self.send("GET", "/storage/x").answer()
        self.assertEqual(answer.content, b"<Error><Code>AccessDenied</Code></Error>")

    def test_of_names_that_need_quoting(self) -> None:
        for name in ("a%20b", "%25", "a%2Fb", "%3F%23", "a+b"):
            self.put(self.make(name)["putUrl"], name.encode())
            url = self.get(f"{self.run_path}/artifact-content/{name}", self.root).json["url"]
            self.assertEqual(self.send("GET", target_of(url)).answer().content, name.encode())


def wait_for(later: list[Callable[[], object]], work: Callable[..., object], *args: object) -> Deferred[object]:
    """Let some work wait until it is called for, as a thread would."""
    done: Deferred[object] = Deferred()
    later.append(lambda: execute(work, *args).chainDeferred(done))
    return done
