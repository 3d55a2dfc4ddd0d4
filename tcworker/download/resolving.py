"""Finds out what a content of a payload means now, and by what it is known again."""

from __future__ import annotations

import hashlib
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any
from uuid import uuid4

from zope.interface import implementer

from tcworker.client.trouble import shown
from tcworker.download.address import Address, read_target
from tcworker.download.downloads import Downloads
from tcworker.download.passing import LAST_TRY, Hopeless, Passing, Persistence
from tcworker.download.representation import Representation
from tcworker.download.servers import Servers
from tcworker.download.sources import ArtifactOf, AtAddress, Services, ask, identity_of
from tcworker.download.transfer import ENCODINGS, Source, State
from tcworker.errors import MalformedPayload
from tcworker.interfaces import JSON, IContent
from tcworker.printable import printable

Say = Callable[[str], None]


@implementer(IContent)
@dataclass(frozen=True)
class Inline:
    """Content that stands in the payload; see L{IContent}."""

    key: str
    words: str
    sha256: str
    data: bytes = field(repr=False)
    lasting = True


@implementer(IContent)
@dataclass(frozen=True)
class Remote:
    """Content that must be fetched; see L{IContent}.

    @ivar state: that it had when it was resolved, which its key is made of; C{None} if that does not matter.
    """

    key: str
    words: str
    sha256: str | None
    lasting: bool
    source: Source
    state: State | None


async def resolve(
    content: Mapping[str, Any], services: Services, downloads: Downloads, say: Say, pinned: bool
) -> Inline | Remote:
    """See L{tcworker.interfaces.IContents.resolve}."""
    patience = Persistence(downloads.clock, downloads.seconds)
    resolving = _Resolving(services, downloads.servers, patience, say, pinned)
    match content:
        case {"raw": str(text)}:
            return _inline("the text in the payload", _encode("raw", text))
        case {"base64": str(text)}:
            return _inline("the base64 in the payload", _decode(text))
        case {"url": str(url)}:
            found = await resolving.address(url, content.get("sha256"))
        case {"namespace": str(namespace), "artifact": str(name)}:
            found = await resolving.indexed(namespace, name)
        case {"taskId": str(task_id), "artifact": str(name)}:
            found = await resolving.artifact(task_id, name, content.get("sha256"))
        case _:
            raise MalformedPayload(
                "a content is one of an artifact, an indexed artifact, an address, a text and base64"
            )
    return found if pinned else unpinned(found)


def _inline(words: str, data: bytes) -> Inline:
    digest = hashlib.sha256(data).hexdigest()
    return Inline(f"inline {digest}", words, digest, data)


def _encode(member: str, text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        # JSON can say what is no text.
        raise MalformedPayload(f"{member}: it has half of a character at {error.start}") from error


def _decode(text: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except Base64Error as error:
        raise MalformedPayload(f"base64: {error}") from error


@dataclass(frozen=True)
class _Resolving:
    """Asks whoever knows of a content, one after the other.

    @ivar patience: with all of them together.
    @ivar pinned: whether it matters in which state a content is.
    """

    services: Services
    servers: Servers
    patience: Persistence
    say: Say
    pinned: bool

    async def address(self, url: str, sha256: str | None) -> Remote:
        try:
            read_target(url)
        except ValueError as error:
            raise MalformedPayload(f"url: {shown(url)}: {error}") from error
        return await self._at(AtAddress(url, sha256), url)

    async def indexed(self, namespace: str, name: str) -> Remote:
        _encode("namespace", namespace)
        _encode("artifact", name)
        shown_as = printable(namespace)
        found = await self.patience.persist(f"{shown_as} in the index", partial(self._find, namespace), self.say)
        # Here and nowhere else: what is said while it is fetched is said to others, too.
        self.say(f"{shown_as} is task {found['taskId']} in the index")
        return await self.artifact(found["taskId"], name, None, found_by=f" ({shown_as} in the index)")

    async def artifact(self, task_id: str, name: str, sha256: str | None, found_by: str = "") -> Remote:
        _encode("artifact", name)
        source = ArtifactOf(self.services, task_id, name, sha256, found_by)
        answer = await self.patience.persist(source.words, partial(source.look_up, self.patience), self.say)
        match answer:
            case {"storageType": "s3", "url": str()} | {"storageType": "object", "name": str()}:
                return _remote(source, identity_of(answer))
            case {"storageType": "reference", "url": str(url)}:
                return await self._at(source, url)
        raise MalformedPayload(f"{source.words} is of a kind that cannot be mounted: {answer['storageType']}")

    async def _at(self, source: AtAddress | ArtifactOf, url: str) -> Remote:
        """Something at an address whose content may change unless there is a checksum."""
        if source.sha256 is not None or not self.pinned:
            return _remote(source, url)
        validator = await self.patience.persist(source.words, partial(self._validator, Address(url)), self.say)
        remote = _remote(source, url, validator)
        # What cannot be known again gets a name that never comes again.
        return remote if validator else unpinned(remote)

    async def _find(self, namespace: str) -> JSON:
        return await ask(self.services.index.find_task(namespace), self.patience)

    async def _validator(self, address: Address) -> str:
        try:
            return await self._look("HEAD", address)
        except (Hopeless, Passing):
            if self.patience.left <= LAST_TRY:
                raise
            # Not every server knows this method, and an address may be signed for the other.
            return await self._look("GET", address)

    async def _look(self, method: str, address: Address) -> str:
        answer = await self.servers.ask(method, address, ENCODINGS, lambda: self.patience.silence)
        await answer.close()
        assert answer.head is not None
        return Representation.read(answer.head).validator


def unpinned(content: Remote) -> Remote:
    """See L{tcworker.interfaces.IContents.unpinned}."""
    return replace(content, key=f"{content.key} {uuid4().hex}", lasting=False, state=None)


def _remote(source: AtAddress | ArtifactOf, identity: str, validator: str = "") -> Remote:
    # A key goes into tables and logs, and an address may have secrets.
    whole = "\n".join((source.known_as, identity, *([validator] if validator else []), source.sha256 or ""))
    digest = hashlib.sha256(whole.encode()).hexdigest()
    # With a checksum it does not matter where it comes from.
    state = None if source.sha256 else State(identity, validator)
    return Remote(f"{source.known_as} {digest}", source.known_as, source.sha256, True, source, state)
