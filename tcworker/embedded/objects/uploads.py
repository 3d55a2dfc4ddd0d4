"""The rules of uploading: whose a name is, and until when (contracts of the queue, 6.1).

Each function is a job of the database, and raises L{ApiError} when the upload cannot go on.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, replace

from tcworker.embedded import contents, dates
from tcworker.embedded.faults import bad_input, conflict, not_found
from tcworker.embedded.objects import store
from tcworker.embedded.objects.store import StoredObject

UNFINISHED = dates.DAY


@dataclass(frozen=True)
class Upload:
    """What an uploader says each time.

    @ivar hashes: by algorithm; those known so far.
    """

    name: str
    project_id: str
    upload_id: str
    hashes: Mapping[str, str]


def begin(connection: sqlite3.Connection, upload: Upload, expires: int, now: int) -> None:
    """Take a name for an upload, or find that it is this upload's already."""
    known = store.find(connection, upload.name, now)
    if known is None:
        gone = min(expires, now + UNFINISHED)
        fresh = StoredObject(upload.name, upload.project_id, upload.upload_id, expires, upload.hashes, False, gone)
        return store.add(connection, fresh)
    same = (known.project_id, known.upload_id, known.expires) == (upload.project_id, upload.upload_id, expires)
    if known.finished or not same:
        raise conflict(f"Object already exists: {upload.name}.")
    store.change(connection, _with_hashes(known, upload.hashes))


def finish(connection: sqlite3.Connection, upload: Upload, now: int) -> None:
    """Make an object of an upload."""
    known = store.find(connection, upload.name, now)
    if known is None:
        raise not_found(f"There is no object {upload.name}.")
    if known.project_id != upload.project_id:
        raise bad_input(f"Object {upload.name} is not of projectId {upload.project_id}.")
    if known.finished:
        return _check_hashes(known, upload.hashes)
    if known.upload_id != upload.upload_id:
        raise conflict(f"Object {upload.name} is not of uploadId {upload.upload_id}.")
    if contents.find(connection, store.key_of(upload.name)) is None:
        raise conflict(f"Object {upload.name} has no content: it is to be uploaded first, as createUpload said.")
    store.change(connection, replace(_with_hashes(known, upload.hashes), finished=True, gone=known.expires))


def _with_hashes(known: StoredObject, hashes: Mapping[str, str]) -> StoredObject:
    for algorithm, given in hashes.items():
        if known.hashes.get(algorithm, given) != given:
            raise conflict(f"Object {known.name} has another {algorithm} hash already.")
    return replace(known, hashes={**known.hashes, **hashes})


def _check_hashes(known: StoredObject, hashes: Mapping[str, str]) -> None:
    """Let a repetition say less than was said, and nothing else."""
    for algorithm, given in hashes.items():
        if known.hashes.get(algorithm) != given:
            raise conflict(f"Object {known.name} is finished, without this {algorithm} hash.")
