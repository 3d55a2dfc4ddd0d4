"""Publishes what the services tell: everything in the outbox goes to a broker (contracts of the queue, 2.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.ssl import optionsForClientTLS
from twisted.logger import Logger
from twisted.python.failure import Failure

from tcworker.amqp.address import read_address
from tcworker.amqp.link import Link, no_answer
from tcworker.embedded.outbox import Message, Outbox
from tcworker.embedded.pulse.backlog import Backlog, letter_of
from tcworker.interfaces import Unsubscribe
from tcworker.waiting import OneShot

if TYPE_CHECKING:
    from tcworker.embedded.pulse.protocol import PublishingChannel

QUEUE = (
    "task-defined",
    "task-pending",
    "task-running",
    "artifact-created",
    "task-completed",
    "task-failed",
    "task-exception",
    "task-priority-changed",
    "task-group-resolved",
    "task-group-sealed",
    "task-group-priority-changed",
)
WORKER_MANAGER = (
    "worker-pool-created",
    "worker-pool-updated",
    "worker-pool-error",
    "worker-requested",
    "worker-running",
    "worker-stopped",
    "worker-removed",
    "launch-config-created",
    "launch-config-updated",
    "launch-config-archived",
)
AUTH = ("client-created", "client-updated", "client-deleted", "role-created", "role-updated", "role-deleted")
EXCHANGES = (
    *(f"exchange/taskcluster-queue/v1/{name}" for name in QUEUE),
    *(f"exchange/taskcluster-worker-manager/v1/{name}" for name in WORKER_MANAGER),
    *(f"exchange/taskcluster-auth/v1/{name}" for name in AUTH),
)

HEARTBEAT = 120
PUBLISH_SECONDS = 30.0
FLUSH_SECONDS = 5.0

MOST_WAITING = 100_000
LARGEST_WAITING = 64 << 20
MOST_UNCONFIRMED = 100
"""So few that to send them all does not hold up whatever else there is to do."""


class Pulse(Service):
    """Publishes the messages of an outbox, each at least once and in their order.

    While the broker is away they wait in memory, and the oldest go when there are too many. No trouble here is
    anybody else's: who sends a message does not wait for it.

    @param reactor: anything that endpoints of host names can connect with.
    @param url: of the broker. Raises L{ConfigError} for one that cannot be.
    @param most_waiting: how many messages may wait.
    @param largest_waiting: how many bytes of memory they may take.
    """

    def __init__(
        self,
        reactor: Any,
        url: str,
        outbox: Outbox,
        most_waiting: int = MOST_WAITING,
        largest_waiting: int = LARGEST_WAITING,
    ) -> None:
        self._reactor = reactor
        self._address = read_address(url)
        self._outbox = outbox
        self._backlog = Backlog(most_waiting, largest_waiting)
        self._channel: PublishingChannel | None = None
        self._drained: OneShot[None] = OneShot()
        self._log = Logger()
        self._link = Link(
            reactor,
            self._address,
            heartbeat=HEARTBEAT,
            tls=lambda: optionsForClientTLS(self._address.host),
            new=self._new_channel,
            serve=self._serve,
            lost=self._has_lost,
        )
        self._unsubscribe: Unsubscribe

    def startService(self) -> None:
        """Begin to listen to the outbox, and to look for the broker."""
        super().startService()
        self._unsubscribe = self._outbox.listen(self._add)
        self._link.start()

    def stopService(self) -> Deferred[None]:
        """Publish what still waits, as long as that goes quickly, and close the connection."""
        super().stopService()
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        self._unsubscribe()
        if self._backlog:
            drained = self._drained.wait().addTimeout(FLUSH_SECONDS, self._reactor)
            await drained.addErrback(lambda _: None)
        await self._link.stop()
        if self._backlog:
            self._tell("pulse ends without the broker at {address}, messages lost: {count}")

    def _add(self, message: Message) -> None:
        if dropped := self._backlog.add(letter_of(message)):
            self._tell(
                "too many messages wait for the broker at {address}, oldest ones lost: {dropped}", dropped=dropped
            )
        self._send()

    def _new_channel(self, protocol: Any) -> PublishingChannel:
        # Not before there is a reactor.
        from tcworker.embedded.pulse.protocol import PublishingChannel

        return PublishingChannel(self._reactor, protocol, EXCHANGES, self._blocked)

    def _has_lost(self, trouble: object, delay: float) -> None:
        text = "no broker at {address}: {trouble!r}; next attempt in {delay:.1f} s, messages waiting: {count}"
        self._tell(text, delay=delay, trouble=trouble)

    def _blocked(self, why: str) -> None:
        # Nothing else need be done: it confirms nothing now, and what is not confirmed is sent again.
        self._tell("the broker at {address} takes no messages for now: {why}; messages waiting: {count}", why=why)

    async def _serve(self, channel: PublishingChannel) -> object:
        """Publish by a channel as long as it lasts; gives the reason why it does not any more."""
        self._log.info(
            "connected to the broker at {address}, messages waiting: {count}",
            address=self._address,
            count=len(self._backlog),
        )
        self._channel = channel
        self._send()
        try:
            return await channel.when_lost()
        finally:
            self._channel = None
            self._backlog.rewind()

    def _send(self) -> None:
        """Send what waits, as long as few are on their way."""
        while (channel := self._channel) is not None and self._backlog.unconfirmed < MOST_UNCONFIRMED:
            if (taken := self._backlog.take()) is None:
                return
            number, letter = taken
            sent = channel.publish(letter).addTimeout(PUBLISH_SECONDS, self._reactor, no_answer)
            sent.addCallbacks(
                self._confirmed,
                self._refused,
                callbackArgs=(number,),
                errbackArgs=(number, channel),
            )

    def _confirmed(self, _: object, number: int) -> None:
        self._forget(number)
        self._send()

    def _refused(self, reason: Failure, number: int, channel: PublishingChannel) -> None:
        if reason.check(ValueError):
            # Nor would it be the next time, and all others would wait behind it for ever.
            self._tell(
                "a message is lost that cannot be encoded for the broker at {address}: {trouble!r}",
                trouble=reason.value,
            )
            self._forget(number)
        elif channel is self._channel:
            # Whatever it is, all that is not confirmed will be sent again, in order.
            channel.abort(reason.value)

    def _forget(self, number: int) -> None:
        self._backlog.confirm(number)
        if not self._backlog:
            self._drained.succeed(None)

    def _tell(self, text: str, **more: object) -> None:
        self._log.warn(text, address=self._address, count=len(self._backlog), **more)
