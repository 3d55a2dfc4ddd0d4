"""Artifacts: making and finding them (contracts of the queue, 1.9 and 1.10)."""

from __future__ import annotations

from collections.abc import Sequence

from twisted.internet.interfaces import IReactorTime

from tcworker.embedded import dates
from tcworker.embedded.calls import Call, Reply
from tcworker.embedded.faults import ApiError, bad_input, conflict, not_found
from tcworker.embedded.paging import PAGED, page_of, token_of
from tcworker.embedded.queue.artifact_kinds import FINISH_ARTIFACT, KINDS, check_replacement, details_of
from tcworker.embedded.queue.states import Run
from tcworker.embedded.queue.store import Artifact, Store
from tcworker.embedded.queue.transactions import Transactions
from tcworker.embedded.routing import Route
from tcworker.embedded.schemas import Checker, Variants
from tcworker.embedded.storage import Addresses
from tcworker.embedded.times import Times
from tcworker.interfaces import JSON

SKEW = 15 * dates.MINUTE
AFTER_EXCEPTION = 25 * dates.MINUTE


class Artifacts:
    """Answers the calls about artifacts."""

    def __init__(self, clock: IReactorTime, times: Times, transactions: Transactions, addresses: Addresses) -> None:
        self._clock = clock
        self._times = times
        self._transactions = transactions
        self._addresses = addresses

    def routes(self) -> Sequence[Route]:
        """Give the routes of this part."""
        return [*self._routes_to_make(), *self._routes_to_find(), *self._routes_to_list()]

    def _routes_to_make(self) -> Sequence[Route]:
        path, scope = "/task/<taskId>/runs/<runId>/artifacts/<*name>", "queue:create-artifact:<taskId>/<runId>"
        kinds, finish = Variants("storageType", KINDS), Checker(FINISH_ARTIFACT)
        return [
            Route("createArtifact", "POST", path, self._create, scope, body=kinds),
            Route("finishArtifact", "PUT", path, self._finish, scope, body=finish),
        ]

    def _routes_to_find(self) -> Sequence[Route]:
        run, task = "/task/<taskId>/runs/<runId>", "/task/<taskId>"
        return [
            Route("getArtifact", "GET", f"{run}/artifacts/<*name>", self._redirect),
            Route("getLatestArtifact", "GET", f"{task}/artifacts/<*name>", self._redirect),
            Route("artifact", "GET", f"{run}/artifact-content/<*name>", self._content),
            Route("latestArtifact", "GET", f"{task}/artifact-content/<*name>", self._content),
        ]

    def _routes_to_list(self) -> Sequence[Route]:
        run, task = "/task/<taskId>/runs/<runId>", "/task/<taskId>"
        of_run, of_task = "queue:list-artifacts:<taskId>:<runId>", "queue:list-artifacts:<taskId>"
        return [
            Route("artifactInfo", "GET", f"{run}/artifact-info/<*name>", self._info, of_run),
            Route("latestArtifactInfo", "GET", f"{task}/artifact-info/<*name>", self._info, of_task),
            Route("listArtifacts", "GET", f"{run}/artifacts", self._list, of_run, PAGED),
            Route("listLatestArtifacts", "GET", f"{task}/artifacts", self._list, of_task, PAGED),
        ]

    async def _create(self, call: Call) -> JSON:
        body, params = call.body, call.params
        artifact = Artifact(
            task_id=params["taskId"],
            run_id=int(params["runId"]),
            name=params["name"],
            storage_type=body["storageType"],
            content_type=body.get("contentType", "application/binary"),
            content_length=body.get("contentLength"),
            expires=dates.read(body["expires"]),
            details=details_of(body),
        )
        if artifact.expires < dates.now(self._clock) - SKEW:
            raise bad_input("expires must be in the future.")
        await self._transactions.run(self._put, artifact)
        return self._created(artifact)

    def _put(self, store: Store, artifact: Artifact) -> None:
        self._check_run(store, artifact)
        known = store.artifact(artifact.task_id, artifact.run_id, artifact.name)
        if known is not None:
            check_replacement(known, artifact)
        store.put_artifact(artifact)

    def _check_run(self, store: Store, artifact: Artifact) -> None:
        task = store.find_task(artifact.task_id)
        # The real queue calls these bad input, where one would expect 404.
        if task is None:
            raise bad_input(f"There is no task {artifact.task_id}.")
        if artifact.run_id >= len(task.runs):
            raise bad_input(f"Task {artifact.task_id} has no run {artifact.run_id}.")
        run = task.runs[artifact.run_id]
        if run.worker_id is None:
            raise bad_input(f"Run {run.run_id} of task {artifact.task_id} was never claimed.")
        if artifact.expires > task.expires:
            raise bad_input("expires must not be after the task's.")
        if run.state != "running" and not self._recently_excepted(run):
            raise conflict(f"Run {run.run_id} of task {artifact.task_id} is {run.state}: it takes no more artifacts.")

    def _recently_excepted(self, run: Run) -> bool:
        ended = run.resolved or 0
        return run.state == "exception" and dates.now(self._clock) < ended + AFTER_EXCEPTION

    def _created(self, artifact: Artifact) -> JSON:
        if artifact.storage_type != "s3":
            return {"storageType": artifact.storage_type}
        expires = dates.now(self._clock) + int(self._times.upload * 1000)
        return {
            "storageType": "s3",
            "putUrl": self._addresses.of("PUT", _key(artifact), expires, artifact.content_type),
            "expires": dates.write(expires),
            "contentType": artifact.content_type,
        }

    async def _finish(self, call: Call) -> Reply:
        await self._transactions.run(_addressed, call)
        raise bad_input("Only artifacts of storageType object are finished.")

    async def _redirect(self, call: Call) -> Reply:
        """Lead to the content, as browsers like it."""
        # Here the scope comes before the question whether there is such a task.
        if "runId" not in call.params:
            call.require(f"queue:get-artifact:{call.params['name']}")
        artifact = await self._permitted(call)
        kind = {"x-taskcluster-artifact-storage-type": artifact.storage_type}
        if artifact.storage_type == "error":
            return Reply(424, artifact.details, kind)
        url = self._url(artifact)
        return Reply(303, {"storageType": artifact.storage_type, "url": url}, {**kind, "location": url})

    async def _content(self, call: Call) -> JSON:
        """Say where the content is, as programs like it."""
        artifact = await self._permitted(call)
        if artifact.storage_type == "error":
            return {"storageType": "error", **artifact.details}
        return {"storageType": artifact.storage_type, "url": self._url(artifact)}

    async def _permitted(self, call: Call) -> Artifact:
        """Give what a name stands for in the end, if the caller may have all that leads there."""
        chain = await self._transactions.run(_follow, call, dates.now(self._clock))
        call.require({"AllOf": [f"queue:get-artifact:{artifact.name}" for artifact in chain]})
        return chain[-1]

    def _url(self, artifact: Artifact) -> str:
        if artifact.storage_type == "reference":
            return str(artifact.details["url"])
        expires = dates.now(self._clock) + int(self._times.download * 1000)
        return self._addresses.of("GET", _key(artifact), expires)

    async def _info(self, call: Call) -> JSON:
        return _show(await self._transactions.run(_addressed, call))

    async def _list(self, call: Call) -> JSON:
        limit, after = page_of(call.query)
        found = await self._transactions.run(_list, call, after, limit + 1)
        more = {"continuationToken": token_of(found[limit - 1].name)} if len(found) > limit else {}
        return {"artifacts": [_show(artifact) for artifact in found[:limit]], **more}


def _key(artifact: Artifact) -> str:
    return f"{artifact.task_id}/{artifact.run_id}/{artifact.name}"


def _show(artifact: Artifact) -> JSON:
    length = {} if artifact.content_length is None else {"contentLength": artifact.content_length}
    return {
        "storageType": artifact.storage_type,
        "name": artifact.name,
        "expires": dates.write(artifact.expires),
        "contentType": artifact.content_type,
        **length,
    }


def _run_of(store: Store, call: Call) -> int:
    """Give the run that a call is about: the one it names, else the task's latest. Raises L{ApiError}."""
    task = store.task(call.params["taskId"])
    if "runId" in call.params:
        return task.run(int(call.params["runId"])).run_id
    if not task.runs:
        raise not_found(f"Task {task.task_id} has no runs.")
    return len(task.runs) - 1


def _find(store: Store, task_id: str, run_id: int, name: str) -> Artifact:
    artifact = store.artifact(task_id, run_id, name)
    if artifact is None:
        raise not_found(f"Run {run_id} of task {task_id} has no artifact {name}.")
    return artifact


def _addressed(store: Store, call: Call) -> Artifact:
    return _find(store, call.params["taskId"], _run_of(store, call), call.params["name"])


def _follow(store: Store, call: Call, now: int) -> Sequence[Artifact]:
    """Give an artifact and those that links lead to from it, in order."""
    chain = [_unexpired(_addressed(store, call), now)]
    while chain[-1].storage_type == "link":
        last = chain[-1]
        target = last.details["artifact"]
        if target in {artifact.name for artifact in chain}:
            raise bad_input(f"The link {call.params['name']} leads back to itself.")
        chain.append(_unexpired(_find(store, last.task_id, last.run_id, target), now))
    return chain


def _unexpired(artifact: Artifact, now: int) -> Artifact:
    if artifact.expires < now:
        raise ApiError("ResourceExpired", f"Artifact {artifact.name} has expired.")
    return artifact


def _list(store: Store, call: Call, after: str, most: int) -> Sequence[Artifact]:
    return store.artifacts(call.params["taskId"], _run_of(store, call), after, most)
