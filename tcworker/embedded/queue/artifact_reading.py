"""Finding artifacts (contracts of the queue, 1.10)."""

from __future__ import annotations

from collections.abc import Sequence

from tcworker.embedded import dates
from tcworker.embedded.calls import Call, Reply
from tcworker.embedded.credentials import show_credentials
from tcworker.embedded.faults import ApiError, bad_input, not_found
from tcworker.embedded.ground import Ground
from tcworker.embedded.objects import store as objects
from tcworker.embedded.paging import PAGED, page_of, token_of
from tcworker.embedded.queue.artifact_store import Artifact
from tcworker.embedded.queue.store import Store
from tcworker.embedded.queue.transactions import Transactions
from tcworker.embedded.routing import Route
from tcworker.interfaces import JSON

MOST_LINKS = 200
"""The most links that are followed: more need nobody, and each costs whoever serves them."""


class ArtifactReading:
    """Answers the calls that list artifacts, describe them and lead to their contents."""

    def __init__(self, ground: Ground, transactions: Transactions) -> None:
        self._clock = ground.clock
        self._times = ground.times
        self._database = ground.database
        self._addresses = ground.addresses
        self._issue = ground.issue
        self._transactions = transactions

    def routes(self) -> Sequence[Route]:
        """Give the routes of this part."""
        run, task = "/task/<taskId>/runs/<runId>", "/task/<taskId>"
        of_run, of_task = "queue:list-artifacts:<taskId>:<runId>", "queue:list-artifacts:<taskId>"
        return [
            Route("getArtifact", "GET", f"{run}/artifacts/<*name>", self._redirect),
            Route("getLatestArtifact", "GET", f"{task}/artifacts/<*name>", self._redirect),
            Route("artifact", "GET", f"{run}/artifact-content/<*name>", self._content),
            Route("latestArtifact", "GET", f"{task}/artifact-content/<*name>", self._content),
            Route("artifactInfo", "GET", f"{run}/artifact-info/<*name>", self._info, of_run),
            Route("latestArtifactInfo", "GET", f"{task}/artifact-info/<*name>", self._info, of_task),
            Route("listArtifacts", "GET", f"{run}/artifacts", self._list, of_run, PAGED),
            Route("listLatestArtifacts", "GET", f"{task}/artifacts", self._list, of_task, PAGED),
        ]

    async def _redirect(self, call: Call) -> Reply:
        """Lead to the content, as browsers like it."""
        # Here the scope comes before the question whether there is such a task.
        if "runId" not in call.params:
            call.require(f"queue:get-artifact:{call.params['name']}")
        artifact = await self._permitted(call)
        kind = {"x-taskcluster-artifact-storage-type": artifact.storage_type}
        if artifact.storage_type == "error":
            return Reply(424, dict(artifact.details), kind)
        if artifact.storage_type == "object":
            await self._check_object(artifact)
        url = self._url(artifact)
        return Reply(303, {"storageType": artifact.storage_type, "url": url}, {**kind, "location": url})

    async def _content(self, call: Call) -> JSON:
        """Say where the content is, as programs like it."""
        artifact = await self._permitted(call)
        if artifact.storage_type == "error":
            return {"storageType": "error", **artifact.details}
        if artifact.storage_type == "object":
            return {"storageType": "object", **self._object_download(artifact)}
        return {"storageType": artifact.storage_type, "url": self._url(artifact)}

    async def _permitted(self, call: Call) -> Artifact:
        """Give what a name stands for in the end, if the caller may have all that leads there. Raises L{ApiError}."""
        now = dates.now(self._clock)
        names, found = await self._transactions.read(_follow, call, now)
        call.require({"AllOf": [f"queue:get-artifact:{name}" for name in names]})
        # Who may not have it is not told whether it is there.
        if isinstance(found, ApiError):
            raise found
        return found

    async def _check_object(self, artifact: Artifact) -> None:
        name = artifact.object_name
        stored = await self._database.read(objects.find, name, dates.now(self._clock))
        if stored is None or not stored.finished:
            raise not_found(f"There is no object {name}.")

    def _url(self, artifact: Artifact) -> str:
        if artifact.storage_type == "reference":
            return str(artifact.details["url"])
        key = objects.key_of(artifact.object_name) if artifact.storage_type == "object" else artifact.key
        return self._addresses.of("GET", key, dates.after(dates.now(self._clock), self._times.download))

    def _object_download(self, artifact: Artifact) -> JSON:
        now, name = dates.now(self._clock), artifact.object_name
        until = now + int(self._times.object_download * 1000)
        who = f"artifact-download/{artifact.task_id}/{artifact.run_id}/{artifact.name}"
        credentials = self._issue(who, [f"object:download:{name}"], now, until)
        return {"name": name, "credentials": show_credentials(credentials)}

    async def _info(self, call: Call) -> JSON:
        artifact = await self._transactions.read(_addressed, call)
        return artifact.to_json()

    async def _list(self, call: Call) -> JSON:
        limit, after = page_of(call.query)
        found = await self._transactions.read(_listed, call, after, limit + 1)
        more = {"continuationToken": token_of(found[limit - 1].name)} if len(found) > limit else {}
        return {"artifacts": [artifact.to_json() for artifact in found[:limit]], **more}


def _run_of(store: Store, call: Call) -> int:
    """Give the run that a call is about: the one it names, else the task's latest. Raises L{ApiError}."""
    if "runId" in call.params:
        return call.number("runId")
    task = store.task(call.params["taskId"])
    if not task.runs:
        raise not_found(f"Task {task.task_id} has no runs.")
    return len(task.runs) - 1


def _find(store: Store, task_id: str, run_id: int, name: str) -> Artifact:
    artifact = store.artifacts.find(task_id, run_id, name)
    if artifact is None or not artifact.present:
        raise not_found(f"Run {run_id} of task {task_id} has no artifact {name}.")
    return artifact


def _addressed(store: Store, call: Call) -> Artifact:
    return _find(store, call.params["taskId"], _run_of(store, call), call.params["name"])


def _follow(store: Store, call: Call, now: int) -> tuple[Sequence[str], Artifact | ApiError]:
    """Give all names on the way from a link to its end, and what is there."""
    task_id, run_id = call.params["taskId"], _run_of(store, call)
    names = {call.params["name"]: None}
    try:
        artifact = _unexpired(_find(store, task_id, run_id, call.params["name"]), now)
        while artifact.storage_type == "link":
            target = artifact.details["artifact"]
            if target in names or len(names) > MOST_LINKS:
                raise bad_input(f"The link {call.params['name']} leads to no end.")
            names[target] = None
            artifact = _unexpired(_find(store, task_id, run_id, target), now)
    except ApiError as error:
        return list(names), error
    return list(names), artifact


def _unexpired(artifact: Artifact, now: int) -> Artifact:
    if artifact.expires < now:
        raise ApiError("ResourceExpired", f"Artifact {artifact.name} has expired.")
    return artifact


def _listed(store: Store, call: Call, after: str, most: int) -> Sequence[Artifact]:
    # Those too that are not finished: it is so in a real deployment.
    run_id = store.task(call.params["taskId"]).run(_run_of(store, call)).run_id
    return store.artifacts.of_run(call.params["taskId"], run_id, after, most)
