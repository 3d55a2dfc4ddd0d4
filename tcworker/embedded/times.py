"""How long the queue waits for what."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Times:
    """In seconds; the defaults are those of a real deployment (contracts of the queue, 1.3, 1.4, 1.7 and 1.9).

    @ivar claim: how long a claim lasts without being reclaimed.
    @ivar poll: how long claimWork waits for a task.
    @ivar deadline_delay: from a task's deadline until the queue resolves it.
    @ivar dependencies: from a task's resolution until those that waited for it are scheduled.
    @ivar upload: how long an address for an upload is good.
    @ivar download: how long an address for a download is good.
    @ivar uploads_after_exception: how long a run that ended with an exception still takes artifacts.
    @ivar object_address: how long clients are told to use an address of an object; it is good for twice that.
    @ivar object_upload: how long credentials to upload an artifact as an object are good.
    @ivar object_download: how long credentials to download such an artifact are good.
    @ivar index_address: how long the index's address of an artifact is good that not everybody may read.
    @ivar tunnel_token: how long a token for a websocktunnel is good.
    @ivar purge_requests: how long a list of requests to purge caches may be an old one.
    @ivar expiry: from the expiry of an artifact or object until it is deleted, and how often that is looked for.
    """

    claim: float = 1200
    poll: float = 20
    deadline_delay: float = 60
    dependencies: float = 5
    upload: float = 45 * 60
    download: float = 30 * 60
    uploads_after_exception: float = 25 * 60
    object_address: float = 60
    object_upload: float = 24 * 3600
    object_download: float = 3600
    index_address: float = 15 * 60
    tunnel_token: float = 96 * 3600
    purge_requests: float = 10
    expiry: float = 30 * 60
