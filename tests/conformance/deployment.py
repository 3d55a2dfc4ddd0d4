"""Which Taskcluster is tested: the one that the environment names, or else one of our own, started for it."""

from __future__ import annotations

import atexit
import http.client
import json
import os
import subprocess
import sys
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from tempfile import TemporaryDirectory
from typing import Any
from unittest import SkipTest
from urllib.parse import urlsplit

import mohawk
import taskcluster

from tests.chances import SOAKING
from tests.conformance.callers import Answer, Credentials, Services

NOT_SIGNED = object()


@dataclass(frozen=True)
class Deployment:
    """A Taskcluster that can be called.

    @ivar root: who may do everything that the suite does.
    @ivar hold: how long claimWork waits for a task, in seconds.
    @ivar uploads_after_exception: how long a run takes artifacts after its exception, in seconds.
    """

    root_url: str
    root: Credentials
    hold: float = 20
    uploads_after_exception: float = 25 * 60

    @property
    def address(self) -> tuple[str, int]:
        """Host and port, for a connection without TLS. Raises L{SkipTest} where there is none."""
        url = urlsplit(self.root_url)
        if url.scheme != "http":
            raise SkipTest("the deployment speaks TLS only")
        return url.hostname or "", url.port or 80

    def services(self, credentials: Credentials | None, **options: Any) -> Services:
        """Give the clients of a caller; C{None} for one who does not say who it is."""
        return Services(self.root_url, credentials, **options)

    def issue(
        self, *scopes: str, name: str | None = None, start: float = -60, expiry: float = 3600, **more: Any
    ) -> Credentials:
        """Make temporary credentials; C{start} and C{expiry} in seconds from now."""
        if self.root.certificate is not None:
            raise SkipTest("temporary credentials make no others: give the suite permanent ones")
        now = datetime.now(UTC)
        dates = [now + timedelta(seconds=seconds) for seconds in (start, expiry)]
        issuer = more.get("issuer", self.root)
        made = taskcluster.createTemporaryCredentials(issuer.client_id, issuer.access_token, *dates, list(scopes), name)
        return Credentials.from_json(made)

    def send(
        self,
        method: str,
        target: str,
        content: bytes | Sequence[bytes] = b"",
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send a request as it stands, without a signature, in chunks if its content is given in several pieces.

        @param target: what follows the root URL, or a whole URL.
        """
        address = urlsplit(target if "://" in target else self.root_url)
        kind = http.client.HTTPSConnection if address.scheme == "https" else http.client.HTTPConnection
        connection = kind(address.netloc, timeout=60)
        raw = target.partition(address.netloc)[2] if "://" in target else target
        try:
            connection.request(method, raw, content or None, dict(headers or {}))
            response = connection.getresponse()
            answered = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, answered, response.read())
        finally:
            connection.close()

    def sign(
        self,
        method: str,
        target: str,
        content: bytes | None = None,
        credentials: Credentials | None = None,
        **how: Any,
    ) -> str:
        """Give the Authorization header of a request, as mohawk signs it; no hash is in it without C{content}."""
        signer = credentials or self.root
        if "ext" not in how and signer.certificate is not None:
            how["ext"] = encode({"certificate": json.loads(signer.certificate)})
        whole = {"content": content, "content_type": "application/json" if content else ""}
        unhashed = {"always_hash_content": False}
        hashing = unhashed if content is None else whole
        sender = mohawk.Sender(signer.for_mohawk(), self.root_url + target, method, **hashing, **how)
        return str(sender.request_header)

    def call(
        self,
        method: str,
        target: str,
        body: Any = None,
        credentials: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Call by a raw target; for the root client unless credentials are given, or L{NOT_SIGNED}."""
        content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        sent = {} if body is None else {"Content-Type": "application/json"}
        if credentials is not NOT_SIGNED:
            sent["Authorization"] = self.sign(method, target, credentials=credentials)
        return self.send(method, target, content, {**sent, **(headers or {})})


def encode(ext: Any) -> str:
    """Encode what goes into C{ext}."""
    return b64encode(json.dumps(ext).encode()).decode()


OWN: Mapping[str, float] = {"dependencies": 0.1}
"""The real times, but for this one: nothing is tested by waiting longer."""

HASTY: Mapping[str, float] = {
    "dependencies": 0.1,
    "claim": 3,
    "poll": 3,
    "deadline_delay": 0.2,
    "uploads_after_exception": 2,
    "purge_requests": 0.5,
}

LONG_WAIT = 120.0


@cache
def subject() -> Deployment:
    """Give the deployment that is tested."""
    return _named() or _started(**OWN)


@cache
def hasty() -> Deployment:
    """Give one whose claims and deadlines are over soon, unless a foreign deployment is tested."""
    return _named() or _started(**HASTY)


def patient() -> Deployment:
    """Give one that holds claimWork for as long as the real one does, or less where that is too long to wait."""
    return subject() if SOAKING else hasty()


def allow(seconds: float) -> None:
    """Raise L{SkipTest} if a test would have to wait for so long, and nobody has said that it shall."""
    if seconds > LONG_WAIT and not os.environ.get("CONFORMANCE_WAIT"):
        raise SkipTest(f"waits for {seconds / 60:.0f} minutes: it runs with CONFORMANCE_WAIT=1 in the environment")


@cache
def _named() -> Deployment | None:
    root_url = os.environ.get("TASKCLUSTER_ROOT_URL")
    if not root_url:
        return None
    names = ("TASKCLUSTER_CLIENT_ID", "TASKCLUSTER_ACCESS_TOKEN")
    lacking = [name for name in names if not os.environ.get(name)]
    if lacking:
        raise RuntimeError(f"TASKCLUSTER_ROOT_URL is set, but not {' and '.join(lacking)}")
    client_id, access_token = (os.environ[name] for name in names)
    certificate = os.environ.get("TASKCLUSTER_CERTIFICATE") or None
    return Deployment(root_url.rstrip("/"), Credentials(client_id, access_token, certificate))


def _started(**times: float) -> Deployment:
    told = _tell(json.dumps(times))
    if not told:
        raise RuntimeError("the server ended before it listened")
    root = Credentials.from_json(told)
    known = {"hold": times.get("poll"), "uploads_after_exception": times.get("uploads_after_exception")}
    return Deployment(told["rootURL"], root, **{name: value for name, value in known.items() if value is not None})


@cache
def _tell(times: str) -> Any:
    """Start a server and give what it says of itself; nothing when it does not start, which is tried only once."""
    folder = TemporaryDirectory(prefix="conformance-")
    command = [sys.executable, "-m", "tests.taskcluster_server", folder.name, times]
    project = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=project)
    atexit.register(_stop, process, folder)
    assert process.stdout is not None
    line = process.stdout.readline()
    return json.loads(line) if line else None


def _stop(process: subprocess.Popen[str], folder: TemporaryDirectory[str]) -> None:
    assert process.stdin is not None and process.stdout is not None
    process.stdin.close()
    try:
        process.wait(timeout=20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    process.stdout.close()
    folder.cleanup()
