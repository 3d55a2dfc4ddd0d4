"""Where content is: at an address, or with the queue, which is asked for its address with the run's credentials.

Contracts of the queue, 1.10 and 6.2.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from twisted.internet.defer import Deferred, TimeoutError

from tcworker.client.services import Index, Object, Queue
from tcworker.client.trouble import shown
from tcworker.download.address import Address
from tcworker.download.passing import Hopeless, Passing, Persistence
from tcworker.errors import CallFailed, TaskclusterError
from tcworker.interfaces import JSON, Credentials
from tcworker.printable import printable

_LATER = (408, 429)
"""Refusals of somebody who has no time just now."""


@dataclass(frozen=True)
class Services:
    """Taskcluster's services as one run calls them.

    @ivar objects: the object service, called with the credentials that the queue gives for one artifact.
    """

    queue: Queue
    index: Index
    objects: Callable[[Credentials], Object]


class AtAddress:
    """Something at an address that a task names.

    @ivar known_as: what it is, whoever asks for it and how.
    """

    def __init__(self, url: str, sha256: str | None) -> None:
        self.words = self.known_as = shown(url)
        self.sha256 = sha256
        self._address = Address(url, identity=url)

    async def address(self, patience: Persistence) -> Address:
        """See L{tcworker.download.transfer.Source.address}."""
        return self._address


class ArtifactOf:
    """An artifact of a task's latest run.

    @ivar words: what it is, for the log of who asks.
    @ivar known_as: what it is, whoever asks for it and how.
    @param found_by: how the task was found, for people.
    """

    def __init__(self, services: Services, task_id: str, name: str, sha256: str | None, found_by: str = "") -> None:
        self.known_as = printable(f"artifact {name} of task {task_id}")
        self.words = f"{self.known_as}{found_by}"
        self.sha256 = sha256
        self._services = services
        self._task_id = task_id
        self._name = name

    async def look_up(self, patience: Persistence) -> Mapping[str, Any]:
        """What the queue says where it is: C{storageType}, and more by that."""
        call = self._services.queue.latest_artifact(self._task_id, self._name)
        answer: Mapping[str, Any] = await ask(call, patience)
        # Not an error of the call: the queue knows of it, and what it knows is that there is none.
        if answer["storageType"] == "error":
            why = printable(f"{answer['reason']}: {answer['message']}")
            raise Hopeless(f"its task could not publish it: {why}")
        return answer

    async def address(self, patience: Persistence) -> Address:
        """See L{tcworker.download.transfer.Source.address}. To be asked at each attempt: an address expires."""
        answer = await self.look_up(patience)
        if answer["storageType"] == "object":
            return await self._of_object(answer, patience)
        # A reference leads wherever the one who made the artifact wanted.
        return Address(answer["url"], answer["storageType"] == "s3", identity_of(answer))

    async def _of_object(self, answer: Mapping[str, Any], patience: Persistence) -> Address:
        objects = self._services.objects(Credentials.from_json(answer["credentials"]))
        accepted = {"acceptDownloadMethods": {"getUrl": True}}
        found = await ask(objects.start_download(answer["name"], accepted), patience)
        return Address(found["url"], True, identity_of(answer), found["hashes"])


def identity_of(answer: Mapping[str, Any]) -> str:
    """What an artifact of an address, an object or a reference is told apart by from that of another run."""
    match answer:
        # The path says of which run it is, and a query only who may have it.
        case {"storageType": "s3", "url": str(url)}:
            return url.partition("?")[0]
        case {"storageType": "object", "name": str(stored)}:
            return stored
    return str(answer["url"])


_ADVICE = {404: ": look whether its name is right, and whether it has expired"}


async def ask(call: Deferred[JSON], patience: Persistence) -> JSON:
    """Make a call of Taskcluster. Raises L{Passing} when it is away, L{Hopeless} for what it refuses."""
    try:
        # A call is repeated by its client for some minutes, of which there may be fewer.
        return await patience.in_time(call)
    except TimeoutError as error:
        raise Passing("Taskcluster does not answer", away=True) from error
    except CallFailed as error:
        if error.may_pass or error.status in _LATER:
            raise Passing(str(error), away=True) from error
        raise Hopeless(f"{error}{_ADVICE.get(error.status, '')}") from error
    except TaskclusterError as error:
        raise Passing(str(error), away=True) from error
