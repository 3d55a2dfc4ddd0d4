"""How contents are handed out: whole, in part, or not again."""

from __future__ import annotations

from tests.embedded.storage_case import StorageTestCase
from tests.embedded.wire import target_of


class Parts(StorageTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.put(self.url, b"0123456789")

    def test_one(self) -> None:
        for asked, content, said in (("2-4", b"234", "2-4"), ("7-", b"789", "7-9"), ("-100", b"0123456789", "0-9")):
            answer = self.download(Range=f"bytes={asked}")
            self.assertEqual((answer.status, answer.content), (206, content))
            self.assertEqual(answer.headers["content-range"], f"bytes {said}/10")
            self.assertEqual(answer.headers["content-type"], "text/plain")

    def test_several(self) -> None:
        answer = self.download(Range="bytes=0-1,20-30,-2")
        self.assertEqual(answer.status, 206)
        self.assertTrue(answer.headers["content-type"].startswith("multipart/byteranges"))
        self.assertEqual([part in answer.content for part in (b"0-1/10", b"8-9/10", b"20-30")], [True, True, False])

    def test_none_that_there_is(self) -> None:
        for asked in ("10-", "10-,20-30"):
            answer = self.download(Range=f"bytes={asked}")
            self.assertEqual((answer.status, answer.headers["content-range"]), (416, "bytes */10"))

    def test_nonsense_is_not_heard(self) -> None:
        for asked in ("bytes=4-2", "lines=1-2", "bytes=", "\u00fc"):
            self.assertEqual(self.download(Range=asked).status, 200)

    def test_a_part_of_another_content_than_was_begun_with(self) -> None:
        tag = self.download().headers["etag"]
        self.assertEqual(self.download(Range="bytes=2-4", If_Range=tag).content, b"234")
        self.put(self.url, b"abcdefghij")
        self.assertEqual(self.download(Range="bytes=2-4", If_Range=tag).content, b"abcdefghij")


class Conditions(StorageTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.put(self.url, b"hello")
        self.first = self.download().headers

    def test_what_is_there_already_is_not_sent_again(self) -> None:
        for condition in (
            {"If_None_Match": self.first["etag"]},
            {"If_Modified_Since": self.first["last-modified"]},
        ):
            answer = self.download(**condition)
            self.assertEqual((answer.status, answer.content), (304, b""))

    def test_another_upload_is(self) -> None:
        self.put(self.url, b"other")
        # It may be of the same second.
        since = self.first["last-modified"]
        answer = self.download(If_None_Match=self.first["etag"], If_Modified_Since=since)
        self.assertEqual((answer.status, answer.content), (200, b"other"))


class Pages(StorageTestCase):
    """Contents beside the server's own pages."""

    def test_none_acts_as_a_page_of_the_servers(self) -> None:
        self.put(self.url, b"<script>")
        for answer in (self.download(), self.download(Range="bytes=1-2"), self.send("GET", "/storage/x").answer()):
            self.assertEqual(answer.headers["content-security-policy"], "sandbox")
            self.assertEqual(answer.headers["x-content-type-options"], "nosniff")

    def test_pages_of_elsewhere_may_read_them(self) -> None:
        answer = self.send("OPTIONS", target_of(self.url), headers={"Origin": "http://elsewhere"}).answer()
        self.assertEqual((answer.status, answer.headers["access-control-allow-origin"]), (204, "*"))
        self.assertIn("PUT", answer.headers["access-control-allow-methods"])
        self.assertIn("Range", answer.headers["access-control-allow-headers"])

    def test_what_nobody_gave_a_type_is_no_page(self) -> None:
        url = self.make("public/b", contentType="")["putUrl"]
        self.assertEqual(self.send("PUT", target_of(url), b"<script>").answer().status, 200)
        down = self.get(f"{self.run_path}/artifact-content/public/b").json["url"]
        answer = self.send("GET", target_of(down)).answer()
        self.assertEqual(answer.headers["content-type"], "binary/octet-stream")

    def test_the_head_alone(self) -> None:
        self.put(self.url, b"hello")
        answer = self.send("HEAD", target_of(self.download_url())).answer()
        self.assertEqual((answer.status, answer.content, answer.headers["content-length"]), (200, b"", "5"))
