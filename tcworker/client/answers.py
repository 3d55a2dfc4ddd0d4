"""What the calls of a worker are answered with, read with care: what answers may not be Taskcluster, or not be well.

Of an answer only what somebody here uses is looked at (contracts of the queue, 1.3 to 1.9).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from tcworker.client.trouble import UnexpectedAnswer
from tcworker.interfaces import JSON, Credentials
from tcworker.json_reading import at, texts_at
from tcworker.task.claim import credentials_at, date_at

T = TypeVar("T")


@dataclass(frozen=True)
class Renewal:
    """A claim that goes on."""

    taken_until: datetime
    credentials: Credentials


def reading(method: str, read: Callable[[JSON], T], answer: JSON) -> T:
    """Read an answer. Raises L{UnexpectedAnswer} if it is none of that call's."""
    try:
        return read(answer)
    except ValueError as error:
        raise UnexpectedAnswer(method, f"answered JSON of another shape: {error}") from None


def read_renewal(answer: JSON) -> Renewal:
    """What reclaimTask answers. Raises C{ValueError}."""
    return Renewal(date_at(answer, "takenUntil"), credentials_at(answer, "credentials"))


def check(method: str, status: int, answer: JSON, body: JSON) -> None:
    """See whether a success is of the shape that is read here; of other calls' answers nothing is known.

    Raises L{UnexpectedAnswer}.

    @param status: of HTTP.
    @param body: what the call was given, C{None} if it takes nothing.
    """
    if method == "finishArtifact" and status != 204:
        raise UnexpectedAnswer(method, f"answered {status} where 204 was expected")
    shape = _SHAPES.get(method)
    if shape is not None:
        reading(method, lambda given: shape(given, body), answer)


def _claims(answer: JSON, body: JSON) -> None:
    at(answer, list, "tasks")


def _renewal(answer: JSON, body: JSON) -> None:
    read_renewal(answer)


def _resolved(answer: JSON, body: JSON) -> None:
    # An empty success would be believed, and a run be forgotten that the queue knows nothing of.
    at(answer, str, "status", "taskId")


def _status(answer: JSON, body: JSON) -> None:
    at(answer, list, "status", "runs")


def _statuses(answer: JSON, body: JSON) -> None:
    for entry in at(answer, list, "statuses"):
        at(entry, str, "taskId")
        at(entry, list, "status", "runs")


def _artifact(answer: JSON, body: JSON) -> None:
    asked = body["storageType"]
    if at(answer, str, "storageType") != asked:
        raise ValueError(f"storageType is not {asked}")
    for member in _OF_STORAGE.get(asked, ()):
        at(answer, str, member)
    if asked == "object":
        credentials_at(answer, "credentials")


def _upload(answer: JSON, body: JSON) -> None:
    methods = at(answer, dict, "uploadMethod")
    if "putUrl" in methods:
        at(methods, str, "putUrl", "url")
        headers = at(methods, dict, "putUrl", "headers")
        for name in headers:
            at(headers, str, name)


def _object(answer: JSON, body: JSON) -> None:
    at(answer, dict)


def _scopes(answer: JSON, body: JSON) -> None:
    texts_at(answer, "scopes")


_OF_STORAGE: Mapping[str, tuple[str, ...]] = {
    "s3": ("putUrl", "contentType"),
    "object": ("name", "projectId", "uploadId", "expires"),
}

_SHAPES: Mapping[str, Callable[[JSON, JSON], None]] = {
    "claimWork": _claims,
    "reclaimTask": _renewal,
    "reportCompleted": _resolved,
    "reportFailed": _resolved,
    "reportException": _resolved,
    "status": _status,
    "statuses": _statuses,
    "createArtifact": _artifact,
    "createUpload": _upload,
    "finishUpload": _object,
    "expandScopes": _scopes,
}
