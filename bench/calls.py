"""A caller of the queue for measurements: blocking, on a connection that is kept, with times as the caller has them."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import slugid

from tcworker.client.hawk import sign
from tcworker.interfaces import JSON, Credentials


class Caller:
    """Calls the queue, one call after the other."""

    def __init__(self, root_url: str, credentials: Credentials) -> None:
        self._root_url, self._credentials = root_url, credentials
        address = urlsplit(root_url)
        self._connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=60)

    def call(self, method: str, path: str, body: JSON = None) -> JSON:
        """Call and give the answer."""
        self.begin(method, path, body)
        return self.end()

    def begin(self, method: str, path: str, body: JSON = None) -> float:
        """Send a call; gives when that was."""
        target = f"/api/queue/v1{path}"
        headers = {"Authorization": sign(method, f"{self._root_url}{target}", self._credentials, time=time.time())}
        content = None if body is None else json.dumps(body)
        if content is not None:
            headers["Content-Type"] = "application/json"
        begun = time.perf_counter()
        self._connection.request(method, target, content, headers)
        return begun

    def end(self) -> JSON:
        """Give the answer to the call that was sent. Raises L{OSError} if it is a refusal."""
        answer = self._connection.getresponse()
        content = answer.read()
        if answer.status != 200:
            raise OSError(f"the queue answered {answer.status}: {content[:300]!r}")
        return json.loads(content)

    def timed(self, method: str, path: str, body: JSON = None) -> float:
        """Call and give the milliseconds that it took."""
        begun = self.begin(method, path, body)
        self.end()
        return 1000 * (time.perf_counter() - begun)

    def create(self, queue: str) -> float:
        """Create a task; gives the milliseconds that it took."""
        return self.timed("PUT", f"/task/{slugid.nice()}", definition(queue))

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def definition(queue: str) -> JSON:
    """Give a definition as they usually are."""
    now = datetime.now(UTC)
    return {
        "taskQueueId": queue,
        "schedulerId": "bench",
        "created": now.isoformat(),
        "deadline": (now + timedelta(hours=5)).isoformat(),
        "payload": {"command": [["true"]], "maxRunTime": 60},
        "metadata": {"name": "n", "description": "d", "owner": "o@example.com", "source": "https://example.com"},
    }


@contextmanager
def calling(root_url: str, credentials: Credentials, number: int = 1) -> Iterator[Sequence[Caller]]:
    """Give so many callers with a connection each."""
    with ExitStack() as stack:
        yield [stack.enter_context(closing(Caller(root_url, credentials))) for _ in range(number)]
