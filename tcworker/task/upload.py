"""Brings an artifact's bytes to where Taskcluster wants them: contracts of the queue, 1.9 and 6.1."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IConsumer, IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.web.iweb import IBodyProducer
from zope.interface import implementer

from tcworker.client.http import HTTP
from tcworker.client.trouble import shown
from tcworker.errors import CallFailed, MalformedPayload, ResourceUnavailable, Unreachable
from tcworker.interfaces import JSON, Credentials, IArchivedFile, QueueCalls
from tcworker.retry import Backoff
from tcworker.waiting import pause

_log = Logger()

T = TypeVar("T")

IDLE = 60.0
"""Seconds in which at least a byte of an upload must move."""

_LOOK_EVERY = 10.0
"""Seconds after which the time that is left is looked at again: reclaims prolong it, a shutdown cuts it short."""

_MOST_REFUSALS = 5
"""How often a storage may refuse an address: one that has expired is refused once, one that is wrong for ever."""


@dataclass(frozen=True)
class Content:
    """What is to be uploaded.

    @ivar file: opened anew for each try.
    @ivar encoding: C{identity} or C{gzip}; what the file has already.
    @ivar length: bytes before compression.
    """

    name: str
    file: IArchivedFile
    type: str
    encoding: str
    length: int


class Refused(Exception):
    """A storage did not take an upload; a new address may help.

    @ivar lasting: whether that is a matter of the address, and not of the storage's state.
    """

    may_pass = True

    def __init__(self, message: str, lasting: bool) -> None:
        super().__init__(message)
        self.lasting = lasting


@dataclass(frozen=True)
class Patience:
    """Tries until there is no time left.

    @ivar time_left: seconds; asked again and again.
    """

    clock: IReactorTime
    time_left: Callable[[], float]
    backoff: Backoff = field(default=Backoff(1.0, 30.0))

    async def persist(self, what: str, attempt: Callable[[], Coroutine[Any, Any, JSON]]) -> JSON:
        """Give what the first successful try answered. Raises L{ResourceUnavailable} when there was none in time."""
        refusals = 0
        for delay in self.backoff.delays():
            try:
                return await self.within(what, attempt())
            except (Unreachable, CallFailed, Refused) as error:
                # An outage may last; an address that is refused again and again will not be taken tomorrow.
                refusals += isinstance(error, Refused) and error.lasting
                if not error.may_pass or refusals >= _MOST_REFUSALS or delay >= self.time_left():
                    raise ResourceUnavailable(f"{what}: {error}") from error
                _log.info("{what}: {error}; trying again in {delay:.0f} s", what=what, error=str(error), delay=delay)
            await pause(self.clock, delay)
        raise AssertionError("delays never end")

    async def within(self, what: str, work: Coroutine[Any, Any, T]) -> T:
        """Give what some work comes to. Cancels it, and raises L{ResourceUnavailable}, when no time is left."""
        running = Deferred.fromCoroutine(work)
        watch = _Watch(self, running.cancel)
        watch.start()
        try:
            return await running
        except CancelledError:
            if not watch.over:
                raise
            # From None: what was cut off says nothing that the artifact's name does not.
            raise ResourceUnavailable(f"{what}: no time is left") from None
        finally:
            watch.stop()


class _Watch:
    """Ends something when no time is left for it.

    @ivar over: whether it did.
    """

    over = False

    def __init__(self, patience: Patience, end: Callable[[], None]) -> None:
        self._patience = patience
        self._end = end
        self._timer: IDelayedCall | None = None

    def start(self) -> None:
        left = max(0.0, self._patience.time_left())
        self._timer = self._patience.clock.callLater(min(left, _LOOK_EVERY), self._look)

    def stop(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()

    def _look(self) -> None:
        if self._patience.time_left() > 0:
            self.start()
        else:
            self.over = True
            self._end()


@dataclass(frozen=True)
class Run:
    """One run's artifacts at the queue."""

    task_id: str
    run_id: int
    queue: QueueCalls
    patience: Patience

    async def create(self, name: str, body: Mapping[str, JSON]) -> JSON:
        """Declare an artifact, once. Raises L{MalformedPayload} if its name is taken by something else."""
        try:
            return await self.queue.create_artifact(self.task_id, self.run_id, name, body)
        except CallFailed as error:
            if error.status == 409:
                raise MalformedPayload(f"the queue does not take artifact {name}: {error.message}") from error
            raise

    async def declare(self, name: str, body: Mapping[str, JSON]) -> JSON:
        """Declare an artifact, with patience."""
        return await self.patience.persist(f"artifact {name}", lambda: self.create(name, body))


class S3Upload:
    """Uploads to an address that the queue gives, a fresh one for each try."""

    def __init__(self, http: HTTP, run: Run) -> None:
        self._http = http
        self._run = run

    async def send(self, content: Content, expires: str) -> None:
        """Declare the artifact and upload it."""
        # The length is for people who list artifacts; the storage gets its own from the body.
        body = {
            "storageType": "s3",
            "contentType": content.type,
            "contentLength": content.length,
            "expires": expires,
        }

        async def attempt() -> None:
            address = await self._run.create(content.name, body)
            # The address is signed for the type as the queue has it; any other would be refused.
            headers = {"Content-Type": address["contentType"], "Content-Encoding": content.encoding}
            await put(self._http, address["putUrl"], headers, content.file.open())

        await self._run.patience.persist(f"artifact {content.name}", attempt)


class ObjectCalls(Protocol):
    """What an upload calls of L{tcworker.client.services.Object}."""

    def create_upload(self, name: str, body: JSON, /) -> Deferred[JSON]: ...

    def finish_upload(self, name: str, body: JSON, /) -> Deferred[JSON]: ...


class ObjectUpload:
    """Uploads through the object service; only what has no content encoding.

    @param new_object_service: gives a client that signs with the credentials for one upload.
    """

    def __init__(self, http: HTTP, run: Run, new_object_service: Callable[[Credentials], ObjectCalls]) -> None:
        self._http = http
        self._run = run
        self._new_object_service = new_object_service

    async def send(self, content: Content, expires: str) -> None:
        """Declare the artifact, upload it and say that it is whole."""
        body = {"storageType": "object", "contentType": content.type, "expires": expires}
        # The object service knows one upload a name: another declaration would be refused.
        declared = await self._run.declare(content.name, body)
        service = self._new_object_service(Credentials.from_json(declared["credentials"]))

        async def attempt() -> None:
            # From createUpload on: the address that it gave may be what failed.
            hashes = await self._put(service, declared, content)
            upload = {"projectId": declared["projectId"], "uploadId": declared["uploadId"], "hashes": hashes}
            await service.finish_upload(declared["name"], upload)
            await self._run.queue.finish_artifact(
                self._run.task_id, self._run.run_id, content.name, {"uploadId": declared["uploadId"]}
            )

        await self._run.patience.persist(f"artifact {content.name}", attempt)

    async def _put(self, service: ObjectCalls, declared: JSON, content: Content) -> Mapping[str, str]:
        body = _Hashed(content.file.open())
        proposal = {"putUrl": {"contentType": content.type, "contentLength": body.length}}
        request = {key: declared[key] for key in ("projectId", "uploadId", "expires")}
        try:
            answer = await service.create_upload(declared["name"], {**request, "proposedUploadMethods": proposal})
            method = answer["uploadMethod"].get("putUrl")
            if method is None:
                raise ResourceUnavailable(f"artifact {content.name}: the object service has no upload by putUrl")
        except BaseException:
            # The HTTP client closes bodies that it was given; this one never got there.
            body.stopProducing()
            raise
        await put(self._http, method["url"], _without_length(method["headers"]), body)
        return body.hashes()


async def put(http: HTTP, url: str, headers: Mapping[str, str], body: IBodyProducer) -> None:
    """Upload a body. Raises L{Refused} where another address may help, L{ResourceUnavailable} where nothing will."""
    answer = await http.request("PUT", url, headers=headers, body=body, idle=IDLE)
    if answer.status < 300:
        return
    message = f"PUT {shown(url)}: {answer.status}{_code(answer.body)}"
    # S3 says 400 to an upload that was too slow, and 403 to an address that has expired.
    if answer.status in (400, 403, 408, 429) or answer.status >= 500:
        raise Refused(message, lasting=answer.status in (400, 403))
    raise ResourceUnavailable(message)


def _code(body: bytes) -> str:
    """What the storage calls its error; the rest of its answer may quote what was signed."""
    found = re.search(rb"<Code>(\w{1,64})</Code>", body)
    return f" {found[1].decode()}" if found else ""


def _without_length(headers: Mapping[str, str]) -> Mapping[str, str]:
    """Leave out what the HTTP client writes by itself."""
    return {name: value for name, value in headers.items() if name.lower() != "content-length"}


@implementer(IBodyProducer)
class _Hashed:
    """A body that is hashed on its way."""

    def __init__(self, body: IBodyProducer) -> None:
        self._body = body
        self._hashers = (hashlib.sha256(), hashlib.sha512())
        self.length = body.length

    def hashes(self) -> Mapping[str, str]:
        return {hasher.name: hasher.hexdigest() for hasher in self._hashers}

    def startProducing(self, consumer: IConsumer) -> Deferred[None]:
        self._consumer = consumer
        produced: Deferred[None] = self._body.startProducing(self)
        return produced

    def write(self, data: bytes) -> None:
        # What is sent is what is hashed: a file that changes is not read twice.
        for hasher in self._hashers:
            hasher.update(data)
        self._consumer.write(data)

    def pauseProducing(self) -> None:
        self._body.pauseProducing()

    def resumeProducing(self) -> None:
        self._body.resumeProducing()

    def stopProducing(self) -> None:
        self._body.stopProducing()
