"""The HTTP server underneath: what it keeps of whose requests, for how long, and what it does when there is no room."""

from __future__ import annotations

import errno
import os
import resource
import tempfile
from typing import Any

from twisted.internet.protocol import connectionDone
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.web import http

from tcworker.embedded.site import EmbeddedSite
from tcworker.embedded.site_request import SiteRequest
from tests.embedded.queue.artifact_case import ArtifactsTestCase
from tests.embedded.wire import QUEUE, Pending, WireTestCase, target_of

PIECE = b"x" * 1_000_000
JSON_TYPE = {"Content-Type": "application/json"}


def full(*_: object, **__: object) -> Any:
    raise OSError(errno.ENOSPC, "No space left on device")


def request_of(pending: Pending) -> SiteRequest:
    """The one that is on the way."""
    request: SiteRequest = pending._transport.channel.requests[-1]
    return request


class FullFile:
    """A file on a disk that is full."""

    name = "/nowhere"

    def __init__(self, *_: object, **__: object) -> None:
        self.closed = False

    write = seek = full

    def close(self) -> None:
        self.closed = True
        full()


class Room(ArtifactsTestCase):
    def kept(self, method: str, target: str, headers: dict[str, str] = JSON_TYPE) -> tuple[int, int]:
        """Send 13 MB; gives the status, and how much of them was kept just before the end."""
        pending = self.send(method, target, b"", headers, 13 * len(PIECE))
        for _ in range(12):
            pending.more(PIECE)
        size = request_of(pending).content.seek(0, os.SEEK_END)
        pending.more(PIECE)
        return pending.answer().status, size

    def test_nothing_is_kept_that_nobody_will_read(self) -> None:
        for method, target, status in (
            *(("POST", "/", 405), ("POST", "/page/main.js", 405), ("POST", "/live/x", 404), ("POST", "/nothing", 404)),
            *(("PUT", f"{QUEUE}/tasks", 404), ("POST", f"{QUEUE}/task/%ff/schedule", 400), ("OPTIONS", "/api", 204)),
            *(("PUT", "/storage/x?signature=y", 403), ("PUT", f"{QUEUE}/ping?x=/storage/", 404)),
        ):
            self.assertEqual(self.kept(method, target), (status, 0), target)

    def test_nothing_is_kept_of_what_is_meant_for_another_server(self) -> None:
        self.assertEqual(self.kept("POST", f"{QUEUE}/tasks", {"Host": "evil.example"}), (421, 0))

    def test_of_a_call_s_body_no_more_is_kept_than_shows_that_it_is_too_long(self) -> None:
        self.assertEqual(self.kept("POST", f"{QUEUE}/tasks"), (500, (10 << 20) + 1))

    def test_short_bodies_of_calls_stay_in_memory_whether_or_not_their_length_is_known(self) -> None:
        self.patch(tempfile, "TemporaryFile", full)
        body = b'{"taskIds": []}'
        chunked = b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
        pending = self.send("GET", f"{QUEUE}/ping")
        before = len(pending.content)
        head = f"POST {QUEUE}/tasks HTTP/1.1\r\nHost: taskcluster.test\r\nContent-Type: application/json\r\n"
        pending.more(head.encode() + chunked)
        self.assertIn(b'{"tasks": []}', pending.content[before:])

    def test_an_upload_of_unknown_length_is_refused_and_not_kept(self) -> None:
        pending = self.send("GET", f"{QUEUE}/ping")
        before = len(pending.content)
        target = target_of(self.make("public/a")["putUrl"])
        head = f"PUT {target} HTTP/1.1\r\nHost: taskcluster.test\r\nContent-Type: text/plain\r\n"
        pending.more(head.encode() + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n" % (len(PIECE), PIECE))
        self.assertEqual(request_of(pending).content.tell(), 0)
        pending.more(b"0\r\n\r\n")
        self.assertIn(b"HTTP/1.1 411 ", pending.content[before:])


class NoRoom(ArtifactsTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.target = target_of(self.make("public/a")["putUrl"])

    def upload(self) -> Pending:
        return self.send("PUT", self.target, PIECE, {"Content-Type": "text/plain"})

    def test_for_an_upload(self) -> None:
        for broken in (full, FullFile):
            self.patch(tempfile, "NamedTemporaryFile", broken)
            answer = self.upload().answer()
            self.assertEqual(answer.status, 507)
            self.assertIn(b"InsufficientStorage", answer.content)

    def test_for_what_was_still_in_memory(self) -> None:
        class Late(FullFile):
            def write(self, data: bytes) -> int:
                return len(data)

        self.patch(tempfile, "NamedTemporaryFile", Late)
        self.assertEqual(self.upload().answer().status, 507)

    def test_for_a_call(self) -> None:
        self.patch(tempfile, "SpooledTemporaryFile", FullFile)
        answer = self.send("POST", f"{QUEUE}/tasks", PIECE, JSON_TYPE).answer()
        self.assertEqual((answer.status, answer.code), (500, "InternalServerError"))
        self.assertIn("no room", answer.json["message"])

    def test_and_then_there_is_again(self) -> None:
        with_room = tempfile.NamedTemporaryFile
        self.patch(tempfile, "NamedTemporaryFile", full)
        pending = self.upload()
        self.patch(tempfile, "NamedTemporaryFile", with_room)
        before = len(pending.content)
        pending.more(b"GET /api/queue/v1/ping HTTP/1.1\r\nHost: taskcluster.test\r\n\r\n")
        self.assertIn(b"HTTP/1.1 200 ", pending.content[before:])
        self.assertEqual(self.upload().answer().status, 200)


class Forms(WireTestCase):
    def test_are_not_read(self) -> None:
        def read(*_: object) -> None:
            raise AssertionError("a form was read, in the reactor and before anybody was asked who they are")

        self.patch(http, "_getMultiPartArgs", read)
        self.patch(http, "parse_qs", lambda text, *_: self.assertNotIn(b"form", text) or {})
        for content_type in ("application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
            body = b"form=1&" * 20_000
            answer = self.send("POST", f"{QUEUE}/tasks", body, {"Content-Type": content_type}).answer()
            self.assertEqual((answer.status, answer.code), (400, "MalformedPayload"), content_type)


class Patience(ArtifactsTestCase):
    def trickle(self, pending: Pending, seconds: int) -> bool:
        """Send a byte every half minute; gives whether the connection is still there at the end."""
        channel = pending._transport.channel
        for _ in range(seconds // 30):
            if channel in self.site.channels:
                pending.more(b"x")
                self.reactor.advance(30)
        return channel in self.site.channels

    def test_a_request_does_not_come_for_ever(self) -> None:
        for content in (
            b"GET",
            b"POST /api/queue/v1/tasks HTTP/1.1\r\nHost: taskcluster.test\r\nContent-Length: 99\r\n\r\n",
        ):
            pending = self.send("GET", f"{QUEUE}/ping")
            pending.more(content)
            self.assertTrue(self.trickle(pending, 270))
            self.assertFalse(self.trickle(pending, 60))

    def test_an_upload_may(self) -> None:
        pending = self.send("PUT", target_of(self.make("public/a")["putUrl"]), b"", {"Content-Type": "text/plain"}, 100)
        self.assertTrue(self.trickle(pending, 2400))
        self.reactor.advance(91)
        self.assertNotIn(pending._transport.channel, self.site.channels)

    def test_requests_after_one_another_have_each_their_time(self) -> None:
        pending = self.send("GET", f"{QUEUE}/ping")
        for _ in range(20):
            self.reactor.advance(60)
            pending.more(b"GET /api/queue/v1/ping HTTP/1.1\r\nHost: taskcluster.test\r\n\r\n")
        self.assertEqual(pending.content.count(b"HTTP/1.1 200 OK"), 21)


class Connections(WireTestCase):
    def setUp(self) -> None:
        self.patch(resource, "getrlimit", lambda _: (8, 8))
        super().setUp()

    def connect(self) -> Any:
        channel = self.site.buildProtocol(None)
        if channel is not None:
            channel.makeConnection(StringTransport())
        return channel

    def lose(self, channel: Any) -> None:
        channel.connectionLost(Failure(connectionDone.value))

    def test_there_are_no_more_than_can_be_served(self) -> None:
        site: EmbeddedSite = self.site
        channels = [self.connect() for _ in range(4)]
        self.assertIsNone(self.connect())
        self.assertEqual(len(site.channels), 4)
        self.lose(channels.pop())
        channels.append(self.connect())
        for channel in channels:
            self.lose(channel)
