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
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache, cached_property
from typing import Any
from unittest import SkipTest
from urllib.parse import urlsplit

import mohawk
import taskcluster

from tests.chances import SOAKING

NOT_SIGNED = object()


@dataclass(frozen=True)
class Credentials:
    """Three strings by which somebody is known; the certificate only for temporary ones."""

    client_id: str
    access_token: str = field(repr=False)
    certificate: str | None = field(default=None, repr=False)

    @classmethod
    def from_json(cls, given: Mapping[str, Any]) -> Credentials:
        """Take them as the services and the C{taskcluster} package write them."""
        token = given["accessToken"]
        text = token.decode() if isinstance(token, bytes) else token
        return cls(given["clientId"], text, given.get("certificate"))

    def to_json(self) -> dict[str, str]:
        known = {"clientId": self.client_id, "accessToken": self.access_token}
        return known if self.certificate is None else {**known, "certificate": self.certificate}

    def for_mohawk(self) -> dict[str, str]:
        return {"id": self.client_id, "key": self.access_token, "algorithm": "sha256"}


@dataclass(frozen=True)
class Answer:
    """What came back; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.content)


class Services:
    """A client of the C{taskcluster} package for each service, all for the same caller."""

    def __init__(self, root_url: str, credentials: Credentials | None, **options: Any) -> None:
        self._root_url = root_url
        self._credentials = credentials
        # One try: the suite looks at the first answer, whatever it is.
        self._options = {"maxRetries": 0, **options}

    def _build(self, kind: Any) -> Any:
        known = {} if self._credentials is None else {"credentials": self._credentials.to_json()}
        return kind({"rootUrl": self._root_url, **known, **self._options})

    @cached_property
    def auth(self) -> taskcluster.Auth:
        return self._build(taskcluster.Auth)

    @cached_property
    def index(self) -> taskcluster.Index:
        return self._build(taskcluster.Index)

    @cached_property
    def objects(self) -> taskcluster.Object:
        return self._build(taskcluster.Object)

    @cached_property
    def purge_cache(self) -> taskcluster.PurgeCache:
        return self._build(taskcluster.PurgeCache)

    @cached_property
    def queue(self) -> taskcluster.Queue:
        return self._build(taskcluster.Queue)

    @cached_property
    def secrets(self) -> taskcluster.Secrets:
        return self._build(taskcluster.Secrets)

    @cached_property
    def worker_manager(self) -> taskcluster.WorkerManager:
        return self._build(taskcluster.WorkerManager)


@dataclass(frozen=True)
class Deployment:
    """A Taskcluster that can be called.

    @ivar root: who may do everything that the suite does.
    @ivar hold: how long claimWork waits for a task, in seconds.
    @ivar claim: how long a claim lasts, in seconds; C{None} when it is not known.
    """

    root_url: str
    root: Credentials
    hold: float = 20
    claim: float | None = None

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
"""Nothing waits in vain on a server of ours."""

HASTY: Mapping[str, float] = {"dependencies": 0.1, "claim": 3, "poll": 3, "deadline_delay": 0.2}


@cache
def subject() -> Deployment:
    """Give the deployment that is tested."""
    return _named() or _started(**OWN)


@cache
def hasty() -> Deployment:
    """Give one whose claims and deadlines are over soon. Raises L{SkipTest} when a foreign deployment is tested."""
    if _named() is not None:
        raise SkipTest("needs a deployment with short times")
    return _started(**HASTY)


def patient() -> Deployment:
    """Give one that holds claimWork for as long as the real one does, or less where that is too long to wait."""
    return subject() if SOAKING or _named() is not None else hasty()


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
    root = Credentials(told["client_id"], told["access_token"])
    return Deployment(told["root_url"], root, times.get("poll", 20), times.get("claim", 1200))


@cache
def _tell(times: str) -> Any:
    """Start a server and give what it says of itself; nothing when it does not start, which is tried only once."""
    command = [sys.executable, "-m", "tests.conformance.server", times]
    project = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=project)
    atexit.register(_stop, process)
    assert process.stdout is not None
    line = process.stdout.readline()
    return json.loads(line) if line else None


def _stop(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None and process.stdout is not None
    process.stdin.close()
    try:
        process.wait(timeout=20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    process.stdout.close()
