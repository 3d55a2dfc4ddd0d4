from __future__ import annotations

import gzip
from collections.abc import Mapping

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock, deferLater

from tcworker.errors import DownloadFailed, ResourceUnavailable
from tcworker.interfaces import IContent
from tests.download.case import DATA, SHA256, ContentsCase, reactor
from tests.integration.bad_server import (
    Asked,
    Behaviour,
    Wire,
    babble,
    content,
    hang,
    more,
    redirect,
    reset,
    slow,
    status,
    unframed,
    wrong_part,
    zipped,
)
from tests.surroundings import until

CHANGED = DATA[::-1]

ODD_DATES = (
    "Mon, 01 Jan 99999999999 00:00:00 GMT",
    "Mon, 01 Jan 2024 00:00:00 +99999999999999",
)
"""Of a shape that dates have, but none that can be counted with."""


def _only_whole(wire: Wire, asked: Asked) -> None:
    """Behave, without a part for anybody."""
    behaviour = content(DATA) if asked.offset is None else status(416)
    behaviour(wire, asked)


def part_of(data: bytes, headers: Mapping[str, str]) -> Behaviour:
    """Answer with a part that says no more of itself than this."""

    def answer(wire: Wire, asked: Asked) -> None:
        wire.head(206, len(data), headers)
        wire.send(data)
        wire.close()

    return answer


def chunk_of(data: bytes) -> Behaviour:
    """Begin an answer of an unknown length, and close the connection before it ends."""

    def answer(wire: Wire, asked: Asked) -> None:
        wire.head(200, None, {"Transfer-Encoding": "chunked", "ETag": '"one"'})
        if asked.method == "GET":
            wire.send(b"%x\r\n%b\r\n" % (len(data), data))
        wire.close()

    return answer


class GoodTests(ContentsCase):
    """Servers that do what they should."""

    async def test_content_comes_in_pieces_and_is_checked(self) -> None:
        await self.arrives(self.server.serve("/a", content(DATA)))
        self.assertEqual(self.sink.sizes, [len(DATA)])

    async def test_without_a_checksum_it_is_told_what_it_has(self) -> None:
        await self.arrives(self.server.serve("/a", content(DATA)), None)
        self.assertIn(f"sha256 {SHA256}", self.said[-1])

    async def test_nothing_at_all_is_a_content(self) -> None:
        fetched = await self.fetch(self.server.serve("/a", content(b"")), None)
        self.assertEqual((fetched.size, self.sink.sizes, self.sink.finished), (0, [0], True))

    async def test_the_log_says_what_begins_and_what_came_without_secrets(self) -> None:
        url = self.server.serve("/a", content(DATA))
        await self.fetch(f"{url}?signature=secret")
        self.assertEqual(self.said[0], f"downloading {url}?…")
        self.assertIn(f"downloaded {url}?…: 1.0 MB in ", self.said[-1])
        self.assertNotIn("secret", "".join(self.said))

    async def test_redirects_are_followed_and_what_is_in_headers_stays_behind(self) -> None:
        url = self.server.serve("/a", redirect("/b", 303))
        self.server.serve("/b", redirect(f"{self.server.root}/c d", 307))
        self.server.serve("/c%20d", content(DATA))
        await self.arrives(url.replace("http://", "http://user:pass@"))
        authorizations = [asked.headers.get("authorization") for asked in self.server.asked]
        self.assertEqual(authorizations, ["Basic dXNlcjpwYXNz", None, None])

    async def test_a_content_encoding_is_undone_before_it_is_hashed(self) -> None:
        await self.arrives(self.server.serve("/a", zipped(DATA)))
        self.assertEqual(self.sink.sizes, [None])

    async def test_an_encoding_that_nobody_asked_for_is_content(self) -> None:
        await self.arrives(self.server.serve("/a", content(DATA, headers={"Content-Encoding": "zstd"})))

    async def test_what_only_ends_with_its_connection_is_taken(self) -> None:
        await self.arrives(self.server.serve("/a", unframed(DATA)), None)
        self.assertEqual(self.sink.sizes, [None])

    async def test_what_is_more_than_promised_is_left(self) -> None:
        await self.arrives(self.server.serve("/a", more(DATA, b"beyond")))

    async def test_what_was_resolved_can_be_fetched_again(self) -> None:
        found = await self.resolve(url=self.server.serve("/a", content(DATA)), sha256=SHA256)
        for _ in range(2):
            await self.contents.fetch(found, self.sink, self.said.append)
        self.assertTrue(self.sink.data == DATA)


class BrokenTests(ContentsCase):
    """Connections that break, and servers in trouble for a while."""

    async def test_a_download_that_is_cut_goes_on_where_it_was(self) -> None:
        behaving = [content(DATA, cut=300_000), content(DATA, cut=1), content(DATA, cut=200_000), content(DATA)]
        await self.arrives(self.server.serve("/a", *behaving))
        self.assertEqual(self.offsets("/a"), [None, 300_000, 300_001, 500_001])
        self.assertEqual([asked.headers.get("if-range") for asked in self.server.asked], [None, *['"one"'] * 3])
        self.assertEqual(self.sink.sizes, [len(DATA)])

    async def test_the_log_says_that_it_broke(self) -> None:
        await self.arrives(self.server.serve("/a", content(DATA, cut=300_000), content(DATA)))
        self.assertIn("trying again in 0 s", self.said[1])

    async def test_a_half_of_a_compressed_one_goes_on_as_well(self) -> None:
        await self.arrives(self.server.serve("/a", zipped(DATA, cut=1000), zipped(DATA, cut=1), zipped(DATA)))
        self.assertEqual(self.offsets("/a"), [None, 1000, 1001])
        self.assertEqual(len(self.sink.sizes), 1)

    async def test_what_cannot_be_known_again_is_begun_anew(self) -> None:
        await self.arrives(self.server.serve("/a", content(DATA, "", cut=300_000), content(DATA, "")))
        self.assertEqual(self.offsets("/a"), [None, None])
        self.assertEqual(self.sink.sizes, [len(DATA)] * 2)

    async def test_a_weak_tag_and_one_of_another_state_do_not_do(self) -> None:
        weak = content(CHANGED, 'W/"one"', cut=300_000)
        await self.arrives(self.server.serve("/a", weak, content(CHANGED, '"two"', cut=300_000), content(DATA)))
        self.assertEqual(self.offsets("/a"), [None, None, 300_000])
        self.assertEqual(len(self.sink.sizes), 3)

    async def test_a_date_is_as_good_as_a_tag_if_it_is_old_enough(self) -> None:
        dates = {
            "Last-Modified": "Wed, 25 Nov 2026 10:00:00 GMT",
            "Date": "Wed, 25 Nov 2026 12:00:00 GMT",
        }
        await self.arrives(self.server.serve("/a", content(DATA, "", dates, cut=300_000), content(DATA, "", dates)))
        self.assertEqual(self.offsets("/a"), [None, 300_000])
        self.assertEqual(self.server.asked[1].headers["if-range"], dates["Last-Modified"])

    async def test_wrong_parts_are_not_taken(self) -> None:
        size = len(DATA)
        wrong = [
            wrong_part(DATA, f"bytes 0-{size - 1}/{size}"),
            wrong_part(DATA[300_000:], f"bytes 300000-{size - 1}/{size + 1}"),
            wrong_part(DATA[300_000:], f"bytes 300000-{size - 1}/{size}", '"two"'),
            wrong_part(DATA[300_000:], "bytes of all kinds"),
        ]
        for number, behaviour in enumerate(wrong):
            path = f"/{number}"
            await self.arrives(self.server.serve(path, content(DATA, cut=300_000), behaviour, content(DATA)))
            self.assertEqual(self.offsets(path), [None, 300_000, None])

    async def test_dates_and_numbers_that_are_none_count_as_not_said(self) -> None:
        date = "Wed, 25 Nov 2026 12:00:00 GMT"
        for number, odd in enumerate((*ODD_DATES, "", "yesterday", "Wed, 25 Nov 2026 10:00:00 GMT" + "9" * 5000)):
            dates = {"Last-Modified": odd, "Date": date}
            behaving = [status(503, {"Retry-After": odd, "Date": date}), content(DATA, "", dates, cut=300_000)]
            await self.arrives(self.server.serve(f"/{number}", *behaving, content(DATA, "", dates)))
            self.assertEqual(self.offsets(f"/{number}"), [None, None, None])

    async def test_a_part_of_another_date_is_not_taken(self) -> None:
        size, date = len(DATA), "Wed, 25 Nov 2026 12:00:00 GMT"
        dates = {"Last-Modified": "Wed, 25 Nov 2026 10:00:00 GMT", "Date": date}
        other = {"Last-Modified": "Wed, 25 Nov 2026 11:00:00 GMT", "Date": date}
        said = f"bytes 300000-{size - 1}/{size}"
        part = part_of(CHANGED[300_000:], {**other, "Content-Range": said})
        await self.arrives(self.server.serve("/a", content(DATA, "", dates, cut=300_000), part, content(DATA)))
        self.assertEqual(self.offsets("/a"), [None, 300_000, None])

    async def test_a_part_without_the_tag_that_all_of_it_had_is_not_taken(self) -> None:
        size = len(DATA)
        part = part_of(CHANGED[300_000:], {"Content-Range": f"bytes 300000-{size - 1}/{size}"})
        await self.arrives(self.server.serve("/a", content(DATA, cut=300_000), part, content(DATA)))
        self.assertEqual(self.offsets("/a"), [None, 300_000, None])

    async def test_a_part_that_ends_before_the_end_is_not_all(self) -> None:
        size = len(DATA)
        part = wrong_part(DATA[300_000:500_000], f"bytes 300000-499999/{size}")
        await self.arrives(self.server.serve("/a", chunk_of(DATA[:300_000]), part, content(DATA)))
        self.assertEqual(self.offsets("/a"), [None, 300_000, 500_000])

    async def test_where_nobody_says_how_much_there_is_a_part_may_not_be_the_last(self) -> None:
        part = wrong_part(DATA[300_000:500_000], "bytes 300000-499999/*")
        await self.arrives(self.server.serve("/a", chunk_of(DATA[:300_000]), part, content(DATA)))
        self.assertEqual(self.offsets("/a"), [None, 300_000, None])

    async def test_a_part_of_more_than_can_be_counted_is_not_taken(self) -> None:
        endless = wrong_part(DATA[300_000:], f"bytes 300000-{len(DATA) - 1}/{'9' * 5000}")
        await self.arrives(self.server.serve("/a", content(DATA, cut=300_000), endless, content(DATA)))
        self.assertEqual(self.offsets("/a"), [None, 300_000, None])

    async def test_a_part_that_nobody_asked_for_is_not_taken(self) -> None:
        await self.arrives(self.server.serve("/a", wrong_part(DATA[:10], "bytes 0-9/10"), content(DATA)))

    async def test_a_server_that_wants_no_part_is_asked_for_all(self) -> None:
        await self.arrives(self.server.serve("/a", content(DATA, cut=300_000), _only_whole))
        self.assertEqual(self.offsets("/a"), [None, 300_000, None])

    async def test_what_passes_is_waited_for(self) -> None:
        troubles = [status(code) for code in (500, 502, 503, 408, 425, 429)]
        await self.arrives(self.server.serve("/a", *troubles, reset, babble, content(DATA)))

    async def test_an_end_that_may_be_a_cut_is_tried_again_if_the_checksum_says_so(self) -> None:
        await self.arrives(self.server.serve("/a", unframed(DATA[:1000]), unframed(DATA)))

    async def test_and_all_of_it_is_asked_for_then(self) -> None:
        """Nobody knows which part of it was wrong, although a part could be asked for."""

        def another(wire: Wire, asked: Asked) -> None:
            wire.head(200, None, {"ETag": '"one"'})
            wire.send(CHANGED[:1000])
            wire.close()

        await self.arrives(self.server.serve("/a", another, content(DATA)))
        self.assertEqual(self.offsets("/a"), [None, None])


class HopelessTests(ContentsCase):
    """What no patience helps against."""

    async def failed(self, url: str, sha256: str | None = SHA256) -> str:
        why = await self.failure(self.fetch(url, sha256), DownloadFailed)
        self.assertFalse(self.sink.finished)
        return why

    async def test_what_is_not_there_or_not_for_us_is_asked_for_once(self) -> None:
        told = {404: "404 Not Found: is the address right", 403: "403 Forbidden: it must be", 410: "gone for good"}
        for code, words in told.items():
            url = self.server.serve(f"/{code}", status(code))
            why = await self.failed(url)
            self.assertIn(f"{url}: 127.0.0.1 answered ", why)
            self.assertIn(words, why)
            self.assertEqual(len(self.server.gets(f"/{code}")), 1)
        self.assertTrue(self.sink.abandoned)

    async def test_an_answer_without_content_is_none(self) -> None:
        why = await self.failed(self.server.serve("/a", status(204)))
        self.assertIn("answered 204 No Content: is the address right?", why)

    async def test_a_wrong_checksum_is_not_tried_again(self) -> None:
        why = await self.failed(self.server.serve("/a", content(CHANGED)))
        self.assertIn(f"not {SHA256}: either it was replaced", why)
        self.assertEqual(len(self.server.asked), 1)
        self.assertTrue(self.sink.abandoned)

    async def test_a_redirect_loop_has_an_end(self) -> None:
        url = self.server.serve("/a", redirect("/a"))
        self.assertIn("more than 10 times", await self.failed(url))
        self.assertEqual(len(self.server.asked), 11)

    async def test_a_redirect_leads_to_no_file_and_nowhere_else_but_http(self) -> None:
        for location in (
            "file:///etc/passwd",
            "ftp://127.0.0.1/a",
            "gopher:x",
            "http://[",
            "http://a:99999/",
            "http://a..b/",
            f"http://{'a' * 70}.b/",
            "http://a b/",
        ):
            url = self.server.serve("/a", redirect(location))
            self.assertIn("it leads to ", await self.failed(url), location)

    async def test_a_redirect_to_a_denied_network_is_not_followed(self) -> None:
        for host in ("169.254.169.254", "[fd00:ec2::254]", "[::ffff:169.254.169.254]", "0xa9fea9fe"):
            url = self.server.serve("/a", redirect(f"http://{host}/latest/meta-data/iam"))
            self.assertIn("denies (mounts.denyNetworks)", await self.failed(url), host)

    async def test_a_name_that_the_client_does_not_look_up_is_not_tried_again(self) -> None:
        self.assertIn("invalid hostname: xn--", await self.failed("http://xn--/"))
        self.assertEqual(self.said, ["downloading http://xn--/"])

    async def test_broken_gzip_is_told(self) -> None:
        said = {"Content-Encoding": "gzip"}
        self.assertIn("but it is not", await self.failed(self.server.serve("/a", content(DATA, headers=said))))
        half = gzip.compress(DATA)[:-9]
        self.assertIn("ends before its time", await self.failed(self.server.serve("/b", content(half, headers=said))))


class ImpatientTests(ContentsCase):
    """Servers that never do what they should."""

    seconds = 0.5

    async def test_one_that_answers_nothing_else_is_given_up(self) -> None:
        for number, behaviour in enumerate((status(503), reset, babble, hang(), hang(b"begun", 100_000))):
            why = await self.failure(self.fetch(self.server.serve(f"/{number}", behaviour)), DownloadFailed)
            self.assertIn("given up after 0.5 s without success", why)

    async def test_one_that_is_not_there_is_given_up(self) -> None:
        why = await self.failure(self.fetch("http://127.0.0.1:9/a"), DownloadFailed)
        self.assertIn("http://127.0.0.1:9/a: ", why)
        self.assertIn("refused", why)

    async def test_who_is_always_cut_at_the_same_place_goes_nowhere(self) -> None:
        url = self.server.serve("/a", content(DATA, "", cut=300_000))
        await self.failure(self.fetch(url), DownloadFailed)
        self.assertTrue(self.sink.abandoned)

    async def test_who_goes_on_a_little_each_time_is_not_given_up(self) -> None:
        # All together they take longer than what one of them may.
        pieces = [slow(DATA[:1], 1, 0), *(content(DATA, cut=20_000) for _ in range(40))]
        await self.arrives(self.server.serve("/a", *pieces[1:], content(DATA)))

    async def test_one_that_only_drips_is_given_up(self) -> None:
        url = self.server.serve("/a", slow(DATA[:1000], 10, 0.05))
        why = await self.failure(self.fetch(url), DownloadFailed)
        self.assertIn("the server sends less than 1.0 kB a second; given up after 0.5 s without success", why)
        # It finds out at its next drop.
        await deferLater(reactor, 0.1)

    async def test_one_that_is_slow_is_waited_for(self) -> None:
        data = DATA[:4000]
        url = self.server.serve("/a", slow(data, 200, 0.05))
        self.assertEqual((await self.fetch(url, None)).size, len(data))

    async def test_what_the_sink_takes_its_time_for_is_not_the_servers_fault(self) -> None:
        # Of so few bytes that they buy it no time.
        self.sink.hold = deferLater(reactor, 1.0)
        await self.arrives(self.server.serve("/a", content(DATA, cut=100), status(503), content(DATA)))

    async def test_a_server_that_wants_to_be_left_alone_for_longer_is_asked_once_more_at_the_end(self) -> None:
        url = self.server.serve("/a", status(503, {"Retry-After": "3600"}))
        await self.failure(self.fetch(url), DownloadFailed)
        self.assertEqual(len(self.server.asked), 2)


class SinkTests(ContentsCase):
    """What the sink does to a download."""

    async def test_what_it_fails_with_comes_out_and_nothing_is_tried_again(self) -> None:
        self.sink.refuse = ResourceUnavailable("no room")
        await self.failure(self.fetch(self.server.serve("/a", content(DATA))), ResourceUnavailable)
        self.assertEqual(len(self.server.asked), 1)
        self.assertTrue(self.sink.abandoned)
        await until(lambda: not self.server.open)

    async def test_a_slow_one_holds_the_server_back(self) -> None:
        hold = self.sink.hold = Deferred()
        large = b"x" * 40_000_000
        sent: list[int] = []
        fetching = Deferred.fromCoroutine(self.fetch(self.server.serve("/a", content(large)), None))
        await until(lambda: self.sink.data)
        sent.append(len(self.sink.data))
        await self.contents.resolve({"url": self.server.serve("/b", content(b"b"))}, self.said.append)
        self.assertEqual(len(self.sink.data), sent[0])
        hold.callback(None)
        await fetching
        self.assertEqual(len(self.sink.data), len(large))

    async def test_cancelling_closes_the_connection_and_abandons_the_sink(self) -> None:
        url = self.server.serve("/a", hang(DATA[:1000], len(DATA)))
        fetching = Deferred.fromCoroutine(self.fetch(url))
        await until(lambda: self.sink.data)
        fetching.cancel()
        with self.assertRaises(CancelledError):
            await fetching
        self.assertTrue(self.sink.abandoned)
        await until(lambda: not self.server.open)

    async def test_cancelling_while_the_sink_is_slow(self) -> None:
        self.sink.hold = Deferred()
        fetching = Deferred.fromCoroutine(self.fetch(self.server.serve("/a", content(DATA))))
        await until(lambda: self.sink.data)
        fetching.cancel()
        with self.assertRaises(CancelledError):
            await fetching
        self.assertTrue(self.sink.abandoned)

    async def test_cancelling_between_two_attempts(self) -> None:
        content_of: IContent = await self.resolve(url=self.server.serve("/a", status(503)), sha256=SHA256)
        clock = Clock()
        self.contents._downloads = type(self.downloads)(self.downloads.servers, self.downloads.threads, clock, 20)
        fetching = self.contents.fetch(content_of, self.sink, self.said.append)
        await until(lambda: len(self.said) == 2)
        fetching.cancel()
        with self.assertRaises(CancelledError):
            await fetching
        self.assertEqual(clock.getDelayedCalls(), [])
