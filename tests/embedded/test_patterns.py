"""Whatever strangers send, no pattern takes long over it: one that tries every way to read a text stops the server."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tcworker.embedded import addresses, paging, ranges, schemas
from tcworker.embedded.auth import signatures, static_file
from tcworker.embedded.page import resource
from tcworker.embedded.schemas import Checker, Variants
from tcworker.embedded.worker_manager import providers
from tests.embedded.wire import WireTestCase

CONFIGS = (*providers._CONFIGS.values(), providers._CLOUD_CONFIG)

SECONDS = 20
"""Of a processor, for all of them; one that takes time with the square of a text's length takes more by itself."""

TRY = """
import json, re, resource, sys
resource.setrlimit(resource.RLIMIT_CPU, (int(sys.argv[1]), int(sys.argv[1])))
for pattern, flags in json.load(sys.stdin):
    print(pattern, flush=True)
    compiled = re.compile(pattern, flags)
    for start in ("", "a", "a/", "a:", "a@", "bytes=", "/?", "https://", "2027-01-15T08:00:00."):
        for piece in ("a", "A", "1", "0", "-", ".", "/", " ", ",", "_", "a-", "a.", "1,", "1-,", "a/", "&bewit=", "@a"):
            text = start + piece * (50_000 // len(piece))
            for end in ("", "\\0", "!", "-"):
                compiled.fullmatch(text + end)
"""


def patterns_of(schema: Any) -> Iterator[str]:
    """Give the patterns in a schema, however deep."""
    if isinstance(schema, Mapping):
        if isinstance(schema.get("pattern"), str):
            yield schema["pattern"]
        for part in schema.values():
            yield from patterns_of(part)
    elif isinstance(schema, list | tuple):
        for part in schema:
            yield from patterns_of(part)


def checkers_of(body: Checker | Variants | None) -> Iterable[Checker]:
    """Give all that a body may be checked by."""
    if body is None:
        return ()
    return body._checkers.values() if isinstance(body, Variants) else (body,)


class Patterns(WireTestCase):
    def used(self) -> Iterator[str]:
        """Give the patterns of all calls of all services."""
        assert self.taskcluster._services is not None
        for service in self.taskcluster._services.every:
            yield from service.api.patterns.values()
            routes = (route for found in service.api.routes._routes.values() for _, route in found)
            for route in routes:
                yield from route.query.values()
                yield from (pattern for checker in checkers_of(route.body) for pattern in patterns_of(checker._schema))
        yield from (pattern for checker in CONFIGS for pattern in patterns_of(checker._schema))

    def test_they_are_found(self) -> None:
        used = set(self.used())
        self.assertLess({schemas.SLUGID, schemas.TASK_QUEUE, "[0-9]+", "^[ -~]*$"}, used)

    def test_none_takes_long(self) -> None:
        compiled = [
            schemas._DATE_TIME,
            schemas._URI,
            signatures._BEWIT,
            static_file._TOKEN,
            ranges._RANGES,
            addresses._DATE,
            paging._NUMBER,
            resource._HOST,
        ]
        every = [
            *((pattern, 0) for pattern in sorted(set(self.used()))),
            *((one.pattern, one.flags) for one in compiled),
        ]
        command = [sys.executable, "-c", TRY, str(SECONDS)]
        done = subprocess.run(command, input=json.dumps(every).encode(), capture_output=True, check=False)
        self.assertEqual(done.returncode, 0, f"{done.stdout.decode().splitlines()[-1:]} {done.stderr.decode()}")

    def test_one_that_would_is_noticed(self) -> None:
        for pattern in ("^([A-Za-z0-9]([-A-Za-z0-9]{0,61}[A-Za-z0-9])?\\.?)+$", "^[1-9]*[0-9]+$"):
            command = [sys.executable, "-c", TRY, "1"]
            done = subprocess.run(command, input=json.dumps([(pattern, 0)]).encode(), capture_output=True, check=False)
            self.assertLess(done.returncode, 0, pattern)
