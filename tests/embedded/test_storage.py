"""The contents of artifacts."""

from __future__ import annotations

import os

from tests.embedded.queue.test_artifacts import ArtifactsTestCase
from tests.embedded.wire import Answer, target_of


class StorageTestCase(ArtifactsTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.url = self.make("public/a")["putUrl"]

    def download_url(self) -> str:
        return str(self.get(f"{self.run_path}/artifact-content/public/a").json["url"])

    def download(self, **headers: str) -> Answer:
        return self.send("GET", target_of(self.download_url()), headers=headers).answer()


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

    def test_a_part_of_it(self) -> None:
        self.put(self.url, b"0123456789")
        answer = self.download(Range="bytes=2-4")
        self.assertEqual((answer.status, answer.content), (206, b"234"))


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
        self.reactor.advance(15 * 60)
        self.assertEqual(self.put(self.url, b"late").status, 403)

    def test_they_outlive_a_restart(self) -> None:
        self.put(self.url, b"hello")
        down = self.download_url()
        self.stop(self.taskcluster)
        self.start()
        self.assertEqual(self.send("GET", target_of(down)).answer().content, b"hello")

    def test_a_page_among_them_is_no_page_of_the_servers(self) -> None:
        self.put(self.url, b"<script>")
        self.assertEqual(self.download().headers["content-security-policy"], "sandbox")
