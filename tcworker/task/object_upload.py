"""Brings an artifact's bytes to the object service: contracts of the queue, 1.9 and 6.1."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Protocol

from twisted.internet.defer import Deferred
from twisted.web.iweb import IBodyProducer

from tcworker.client.bodies import PassedOn
from tcworker.client.http import HTTP
from tcworker.errors import CallFailed, ResourceUnavailable
from tcworker.interfaces import JSON, Credentials
from tcworker.task.patience import Futile
from tcworker.task.put import IDLE, opened, put
from tcworker.task.upload import Content, Run

LOCKED = Futile(8, lambda error: isinstance(error, CallFailed) and error.status == 500)
"""What the queue answers for ever to each other declaration if the answer to the first one got lost.

Nothing else tells that it is declared already: where no answer comes, or another one, that may be an outage.
"""


class ObjectCalls(Protocol):
    """What an upload calls of L{tcworker.client.services.Object}."""

    def create_upload(self, name: str, body: JSON, /) -> Deferred[JSON]: ...

    def finish_upload(self, name: str, body: JSON, /) -> Deferred[JSON]: ...


class ObjectUpload:
    """Uploads through the object service; only what has no content encoding.

    @param new_object_service: gives a client that signs with the credentials for one upload.
    """

    encodes = False

    def __init__(self, http: HTTP, run: Run, new_object_service: Callable[[Credentials], ObjectCalls]) -> None:
        self._http = http
        self._run = run
        self._new_object_service = new_object_service

    async def send(self, content: Content, expires: str) -> None:
        """Declare the artifact, upload it and say that it is whole."""
        what, persist = f"artifact {content.name}", self._run.patience_for(content).persist
        # Opened first, for a declaration cannot be taken back when the file turns out to be gone.
        with opened(content.file):
            # The object service knows one upload a name: another declaration would be refused.
            declaration = content.declaration("object", expires)
            declared = await persist(what, lambda: self._run.create(content.name, declaration), LOCKED)
        service = self._new_object_service(Credentials.from_json(declared["credentials"]))
        # From createUpload on, each time: the address that it gave may be what failed.
        hashes = await persist(what, lambda: self._put(service, declared, content))
        # By itself, for nothing can be uploaded once it is finished; to finish twice does no harm.
        await persist(what, lambda: self._finish(service, declared, content.name, hashes))

    async def _put(self, service: ObjectCalls, declared: JSON, content: Content) -> Mapping[str, str]:
        request = {key: declared[key] for key in ("projectId", "uploadId", "expires")}
        with opened(content.file) as file:
            body = _Hashed(file)
            proposal = {"putUrl": {"contentType": content.type, "contentLength": body.length}}
            answer = await service.create_upload(declared["name"], {**request, "proposedUploadMethods": proposal})
            method = answer["uploadMethod"].get("putUrl")
            if method is None:
                why = "the object service has no upload by putUrl"
                raise ResourceUnavailable.refused(f"artifact {content.name}", why)
            with self._run.measured(content, body) as measured:
                idle = self._run.haste.silence(IDLE)
                await put(self._http, method["url"], _without_length(method["headers"]), measured, idle)
            return body.hashes()

    async def _finish(self, service: ObjectCalls, declared: JSON, name: str, hashes: Mapping[str, str]) -> None:
        upload = {"projectId": declared["projectId"], "uploadId": declared["uploadId"], "hashes": hashes}
        await service.finish_upload(declared["name"], upload)
        finished = {"uploadId": declared["uploadId"]}
        await self._run.queue.finish_artifact(self._run.task_id, self._run.run_id, name, finished)


def _without_length(headers: Mapping[str, str]) -> Mapping[str, str]:
    """Leave out what the HTTP client writes by itself."""
    return {name: value for name, value in headers.items() if name.lower() != "content-length"}


class _Hashed(PassedOn):
    """A body that is hashed on its way."""

    def __init__(self, body: IBodyProducer) -> None:
        super().__init__(body)
        self._hashers = (hashlib.sha256(), hashlib.sha512())

    def hashes(self) -> Mapping[str, str]:
        return {hasher.name: hasher.hexdigest() for hasher in self._hashers}

    def write(self, data: bytes) -> None:
        """See L{PassedOn.write}."""
        # What is sent is what is hashed: a file that changes is not read twice.
        for hasher in self._hashers:
            hasher.update(data)
        super().write(data)
