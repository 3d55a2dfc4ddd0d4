"""A storage in memory, as L{tcworker.client.http.HTTP} shows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from twisted.internet.defer import Deferred
from twisted.web.iweb import IBodyProducer

from tcworker.client.http import Answer
from tcworker.testing.context import read_body


@dataclass
class Put:
    """An upload that arrived."""

    url: str
    headers: Mapping[str, str]
    body: bytes


class Storage:
    """Takes uploads.

    @ivar puts: what came, in order.
    @ivar answers: what the next uploads are answered, a status with a body or an error to raise; 200 when it is empty.
    @ivar hanging: uploads that get no answer while C{hangs} is set.
    """

    def __init__(self) -> None:
        self.puts: list[Put] = []
        self.answers: list[tuple[int, bytes] | Exception] = []
        self.hangs = False
        self.hanging: list[Deferred[Answer]] = []

    def request(
        self, method: str, url: str, *, headers: Mapping[str, str], body: IBodyProducer, idle: float
    ) -> Deferred[Answer]:
        """See L{tcworker.client.http.HTTP.request}."""
        if self.hangs:
            waiting: Deferred[Answer] = Deferred()
            self.hanging.append(waiting)
            return waiting
        return Deferred.fromCoroutine(self._take(url, headers, body))

    async def _take(self, url: str, headers: Mapping[str, str], body: IBodyProducer) -> Answer:
        content = await read_body(body)
        assert len(content) == body.length, "an upload as long as it said"
        self.puts.append(Put(url, headers, content))
        answer = self.answers.pop(0) if self.answers else (200, b"")
        if isinstance(answer, Exception):
            raise answer
        return Answer(answer[0], {}, answer[1])
