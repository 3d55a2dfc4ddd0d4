"""Who calls: credentials, the C{taskcluster} package's clients for them, and what came back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import taskcluster


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
