"""What the author of a task is told about mounts that do not fit (contracts of generic-worker, 1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tcworker.errors import MalformedPayload
from tcworker.task.mount_schema import MOUNTS_SCHEMA
from tcworker.task.payload import PayloadSchema

TASK_ID = "dSlITZ4yQgmvxxAi4A8fHQ"
SHA256 = "0123456789abcdef" * 4
TEXT = {"raw": "text"}
UNKNOWN = "found an unknown key, expected"


class MountCase(SynchronousTestCase):
    """One mount, and the faults that are found in it."""

    def faults(self, mount: Any) -> Sequence[str]:
        """What is said, from the mount's own place on."""
        try:
            PayloadSchema({"mounts": MOUNTS_SCHEMA}).check({"mounts": [mount]})
        except MalformedPayload as error:
            self.assertTrue(all(message.startswith("payload.mounts[0]") for message in error.messages), error.messages)
            return [message.removeprefix("payload.mounts[0]") for message in error.messages]
        return []


class Mounts(MountCase):
    """Three forms, told apart by a key of each: C{cacheName}, then C{directory}, then C{file}."""

    def test_a_cache(self) -> None:
        self.assertEqual(self.faults({"cacheName": "c", "directory": "d"}), [])
        self.assertEqual(self.faults({"cacheName": "c", "directory": "d", "content": TEXT, "format": "tar.zst"}), [])
        faults = self.faults({"file": "f", "cacheName": "c"})
        self.assertEqual(
            faults,
            [
                ".directory: found nothing, expected a string",
                f".file: {UNKNOWN} one of cacheName, content, directory, format",
            ],
        )

    def test_a_cache_s_content_and_its_format_need_each_other(self) -> None:
        for given, missing, kind in (("content", "format", "a string"), ("format", "content", "an object")):
            mount = {"cacheName": "c", "directory": "d", given: {"content": TEXT, "format": "zip"}[given]}
            self.assertEqual(self.faults(mount), [f".{missing}: found nothing, expected {kind} since there is {given}"])

    def test_a_folder(self) -> None:
        self.assertEqual(self.faults({"directory": "d", "content": TEXT, "format": "7z"}), [])
        self.assertEqual(
            self.faults({"directory": "d", "file": "f", "content": TEXT}),
            [
                ".format: found nothing, expected a string",
                f".file: {UNKNOWN} one of content, directory, format",
            ],
        )

    def test_a_file(self) -> None:
        self.assertEqual(self.faults({"file": "f", "content": TEXT}), [])
        self.assertEqual(self.faults({"file": "f", "content": TEXT, "format": "xz"}), [])
        self.assertEqual(self.faults({"file": "f"}), [".content: found nothing, expected an object"])

    def test_none_of_them(self) -> None:
        (fault,) = self.faults({"content": TEXT})
        found, expected = (
            ': found {"content": {"raw": "text"}}',
            "an object with one of the keys cacheName, directory, file",
        )
        self.assertEqual(fault, f"{found}, expected {expected}")
        self.assertEqual(self.faults("f"), [': found "f" (a string), expected an object'])

    def test_a_file_is_compressed_and_a_folder_an_archive(self) -> None:
        (fault,) = self.faults({"file": "f", "content": TEXT, "format": "zip"})
        self.assertTrue(fault.startswith('.format: found "zip", expected one of "br", "bz2", "gz"'), fault)
        (fault,) = self.faults({"directory": "f", "content": TEXT, "format": "gz"})
        self.assertTrue(fault.startswith('.format: found "gz", expected one of "7z", "rar", "tar"'), fault)

    def test_one_may_be_there_twice(self) -> None:
        cache = {"cacheName": "c", "directory": "d"}
        PayloadSchema({"mounts": MOUNTS_SCHEMA}).check({"mounts": [cache, cache]})

    def test_so_many_there_may_be(self) -> None:
        schema, cache = PayloadSchema({"mounts": MOUNTS_SCHEMA}), {"cacheName": "c", "directory": "d"}
        schema.check({"mounts": [cache] * 200})
        with self.assertRaises(MalformedPayload):
            schema.check({"mounts": [cache] * 201})


class Contents(MountCase):
    """Five forms, told apart by C{taskId}, C{namespace}, C{url}, C{raw} and C{base64}."""

    def content(self, **content: Any) -> Sequence[str]:
        return [fault.removeprefix(".content") for fault in self.faults({"file": "f", "content": content})]

    def test_an_artifact(self) -> None:
        self.assertEqual(self.content(taskId=TASK_ID, artifact="public/a"), [])
        self.assertEqual(self.content(taskId=TASK_ID), [".artifact: found nothing, expected a string"])
        both = self.content(taskId=TASK_ID, artifact="a", namespace="a.b")
        self.assertEqual(both, [f".namespace: {UNKNOWN} one of artifact, sha256, taskId"])

    def test_a_task_id_that_is_none(self) -> None:
        for no_id in ("abc", "a" * 22, f"{TASK_ID}\n"):
            (fault,) = self.content(taskId=no_id, artifact="a")
            self.assertIn("expected a taskId, a slugid of 22 characters such as dSlITZ4yQgmvxxAi4A8fHQ", fault)

    def test_an_artifact_of_an_indexed_task(self) -> None:
        self.assertEqual(self.content(namespace="a.b", artifact="public/a"), [])
        (fault,) = self.content(namespace="x" * 256, artifact="public/a")
        self.assertTrue(fault.endswith("(256 characters), expected 255 at the most"), fault)

    def test_an_address(self) -> None:
        self.assertEqual(self.content(url="https://example.com/a?b=c"), [])
        (fault,) = self.content(url="example.com")
        self.assertEqual(fault, '.url: found "example.com", expected an address such as https://example.com/file')

    def test_a_text(self) -> None:
        self.assertEqual(self.content(raw=""), [])
        (fault,) = self.content(raw="x" * 65537)
        self.assertTrue(fault.endswith("(65537 characters), expected 65536 at the most"), fault)

    def test_bytes(self) -> None:
        self.assertEqual(self.content(base64="aGVsbG8="), [])
        (fault,) = self.content(base64="a-_b")
        self.assertIn("expected base64: letters, digits, + and /", fault)

    def test_none_of_them(self) -> None:
        (fault,) = self.content(artifact="public/a")
        self.assertTrue(fault.endswith("with one of the keys taskId, namespace, url, raw, base64"), fault)

    def test_what_is_fetched_from_a_fixed_place_can_be_checked(self) -> None:
        places: Sequence[dict[str, Any]] = ({"taskId": TASK_ID, "artifact": "a"}, {"url": "https://example.com/"})
        for place in places:
            self.assertEqual(self.content(**place, sha256=SHA256), [])
            for no_sum in ("", SHA256.upper(), SHA256[1:]):
                (fault,) = self.content(**place, sha256=no_sum)
                self.assertTrue(fault.endswith("expected a SHA-256, 64 digits and letters a to f in lower case"), fault)

    def test_nothing_else_can(self) -> None:
        others: Sequence[dict[str, Any]] = ({"namespace": "a.b", "artifact": "a"}, TEXT, {"base64": "YQ=="})
        for other in others:
            (fault,) = self.content(**other, sha256=SHA256)
            self.assertTrue(fault.startswith(f".sha256: {UNKNOWN}"), fault)
