"""Making artifacts (contracts of the queue, 1.9)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import slugid

from tcworker.embedded import dates
from tcworker.embedded.calls import Call, Reply
from tcworker.embedded.credentials import show_credentials
from tcworker.embedded.faults import ApiError, bad_input, conflict, not_found
from tcworker.embedded.ground import Ground
from tcworker.embedded.objects import store as objects
from tcworker.embedded.objects import uploads
from tcworker.embedded.objects.uploads import Upload
from tcworker.embedded.queue import messages
from tcworker.embedded.queue.artifact_kinds import FINISH_ARTIFACT, KINDS, details_of, replacement
from tcworker.embedded.queue.artifact_reading import ArtifactReading
from tcworker.embedded.queue.artifact_store import Artifact
from tcworker.embedded.queue.states import Run, Task
from tcworker.embedded.queue.store import Store
from tcworker.embedded.queue.transactions import Transactions
from tcworker.embedded.routing import Route
from tcworker.embedded.schemas import Checker, Variants
from tcworker.interfaces import JSON

SKEW = 15 * dates.MINUTE
DRIFT = 10 * dates.SECOND
"""Milliseconds for which an address is good longer than it says."""


class Artifacts:
    """Answers the calls about artifacts."""

    def __init__(self, ground: Ground, transactions: Transactions) -> None:
        self._clock = ground.clock
        self._times = ground.times
        self._addresses = ground.addresses
        self._issue = ground.issue
        self._transactions = transactions
        self._reading = ArtifactReading(ground, transactions)

    def routes(self) -> Sequence[Route]:
        """Give the routes of this part."""
        path, scope = "/task/<taskId>/runs/<runId>/artifacts/<*name>", "queue:create-artifact:<taskId>/<runId>"
        kinds, finish = Variants("storageType", KINDS), Checker(FINISH_ARTIFACT)
        return [
            Route("createArtifact", "POST", path, self._create, scope, body=kinds),
            Route("finishArtifact", "PUT", path, self._finish, scope, body=finish),
            *self._reading.routes(),
        ]

    async def _create(self, call: Call) -> JSON:
        body, params = call.body, call.params
        asked = Artifact(
            task_id=params["taskId"],
            run_id=call.number("runId"),
            name=params["name"],
            storage_type=body["storageType"],
            content_type=body.get("contentType", "application/binary"),
            content_length=body.get("contentLength"),
            expires=dates.read(body["expires"]),
            details=details_of(body),
        )
        if asked.expires < dates.now(self._clock) - SKEW:
            raise bad_input("expires must be in the future.")
        artifact, run = await self._transactions.run(self._put, asked)
        return {"storageType": artifact.storage_type, **self._how_to_upload(artifact, run)}

    def _put(self, store: Store, asked: Artifact) -> tuple[Artifact, Run]:
        artifacts, now = store.artifacts, dates.now(self._clock)
        task, run = _check_run(store, asked, now - int(self._times.uploads_after_exception * 1000))
        # As in the real queue: an object in place of an object fails here, whatever it would be compared with.
        made = _lock(store, task, asked, now) if asked.storage_type == "object" else asked
        known = artifacts.find(asked.task_id, asked.run_id, asked.name)
        artifact = replacement(known, made) if known is not None else made
        artifacts.put(artifact)
        # Of what is uploaded one hears when it is there, or, of s3, never.
        if artifact.storage_type not in ("s3", "object"):
            _tell(store, task, artifact)
        return artifact, run

    def _how_to_upload(self, artifact: Artifact, run: Run) -> Mapping[str, JSON]:
        now = dates.now(self._clock)
        if artifact.storage_type == "s3":
            expires, headers = dates.after(now, self._times.upload), {"content-type": artifact.content_type}
            url = self._addresses.of("PUT", artifact.key, expires + DRIFT, headers)
            return {"putUrl": url, "expires": dates.write(expires), "contentType": artifact.content_type}
        if artifact.storage_type == "object":
            return self._object_upload(artifact, run, now)
        return {}

    def _object_upload(self, artifact: Artifact, run: Run, now: int) -> Mapping[str, JSON]:
        project, name = artifact.details["projectId"], artifact.object_name
        who = f"artifact-upload/{artifact.task_id}/{artifact.run_id}/on/{run.worker_group}/{run.worker_id}"
        until = min(artifact.expires, now + int(self._times.object_upload * 1000))
        credentials = self._issue(who, [f"object:upload:{project}:{name}"], now, until)
        return {
            "name": name,
            "projectId": project,
            "uploadId": artifact.details["uploadId"],
            "expires": dates.write(artifact.expires),
            "credentials": show_credentials(credentials),
        }

    async def _finish(self, call: Call) -> Reply:
        await self._transactions.run(self._make_present, call)
        return Reply(204)

    def _make_present(self, store: Store, call: Call) -> None:
        params, artifacts = call.params, store.artifacts
        task = store.task(params["taskId"])
        artifact = artifacts.find(task.task_id, task.run(call.number("runId")).run_id, params["name"])
        if artifact is None:
            raise not_found(f"Run {params['runId']} of task {task.task_id} has no artifact {params['name']}.")
        if artifact.storage_type != "object":
            raise bad_input("Only artifacts of storageType object are finished.")
        if not artifact.present:
            self._check_object(store, artifact, call.body["uploadId"])
            artifacts.put(replace(artifact, details={**artifact.details, "finished": True}))
        _tell(store, task, artifact)

    def _check_object(self, store: Store, artifact: Artifact, upload_id: str) -> None:
        if upload_id != artifact.details["uploadId"]:
            raise bad_input(f"Artifact {artifact.name} has another uploadId.")
        stored = objects.find(store.connection, artifact.object_name, dates.now(self._clock))
        if stored is None or not stored.finished:
            raise bad_input(f"The object service has no finished object {artifact.object_name}.")


def _check_run(store: Store, artifact: Artifact, late: int) -> tuple[Task, Run]:
    """Give the run that an artifact is for, if it may still have it. Raises L{ApiError}.

    @param late: until when an exception must have ended a run for it to take no more, in milliseconds since the epoch.
    """
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
    if run.state != "running" and not (run.state == "exception" and (run.resolved or 0) > late):
        raise conflict(f"Run {run.run_id} of task {artifact.task_id} is {run.state}: it takes no more artifacts.")
    return task, run


def _lock(store: Store, task: Task, asked: Artifact, now: int) -> Artifact:
    """Take the object's name for an upload; gives the artifact that knows it. Raises L{ApiError}."""
    upload = Upload(asked.object_name, task.project_id, str(slugid.nice()), {})
    try:
        uploads.begin(store.connection, upload, asked.expires, now)
    except ApiError:
        # The real queue does not foresee it either: each call makes a new uploadId, and a name has one for ever.
        message = f"Artifact {asked.name} was created before. An object is created once: use the first answer."
        raise ApiError("InternalServerError", message) from None
    return replace(asked, details={"projectId": task.project_id, "uploadId": upload.upload_id})


def _tell(store: Store, task: Task, artifact: Artifact) -> None:
    # Not its length: for that the message has no place (contracts of the queue, 2.4).
    shown = replace(artifact, content_length=None).to_json()
    store.messages.append(messages.of_artifact(task, artifact.run_id, shown, store.about(task.task_id)))
