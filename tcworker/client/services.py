"""Taskcluster's services: one class each, whose methods are the calls that the service has.

A method takes the arguments of the call's route in order, then the body if the call has one, and the query by keyword,
all in snake_case: C{queue.create_artifact(task_id, run_id, name, {...})}, C{queue.list_artifacts(task_id, run_id,
limit=10)}. It fires with the answer's JSON, C{None} if there is none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import islice
from typing import Any, ClassVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger, LogLevel
from twisted.python.failure import Failure

from tcworker.client.calls import Call, content_of, judge, prepare
from tcworker.client.hawk import sign
from tcworker.client.http import HTTP, Answer
from tcworker.client.routes import Route, routes
from tcworker.client.server_time import ServerTime
from tcworker.client.trouble import Unsent
from tcworker.clocks import wall_seconds
from tcworker.errors import CallFailed, TaskclusterError, Unreachable
from tcworker.interfaces import JSON, Credentials
from tcworker.retry import Backoff
from tcworker.waiting import pause

SECONDS = 30.0
"""How long one attempt may take."""

CLAIM_SECONDS = 35.0
"""How long a claimWork may take: the queue keeps it for 20 s when there is no work."""


BACKOFF = Backoff(0.1, 30.0)
"""As Taskcluster's own clients wait before a call is made again."""

WORTH_SAYING = 1.5
"""Seconds before another attempt from which on people are told of it."""

ATTEMPTS = 6
"""How often a call is made before its failure is passed on."""

SKEW = 60.0
"""Seconds by which the time in a refused signature must have been wrong for that to be the likely cause; a server takes
what is wrong by some minutes (contracts of the queue, 3.1)."""

WRONGLY_SIGNED = (401, "AuthenticationFailed")
"""Status and code for a signature that is refused, by its time for example (contracts of the queue, 0.4)."""


def as_usual(seconds: float) -> float:
    """Let an attempt take as long as it usually may."""
    return seconds


class Service:
    """A service of Taskcluster. Its calls fail with L{CallFailed} or L{Unreachable}.

    A call whose answer is lost, or is not Taskcluster's (L{UnexpectedAnswer}), or is the server's own failure (5xx), is
    made again, signed anew; one that is refused (4xx) is not, unless it was for the time in its signature. Cancelling
    it ends the request.

    @cvar module: where the C{taskcluster} package describes it.
    @param credentials: asked at every attempt, so that they may be replaced while a call waits; C{None} from it sends
        the call unsigned.
    @param authorized_scopes: what the calls may be used for at the most.
    @param time: what is known of the server's clock, to be shared by all who call that server.
    @param silence: gives how many seconds one attempt may take, of those that it usually may.
    """

    module: ClassVar[str]
    _log = Logger()

    def __init__(
        self,
        http: HTTP,
        root_url: str,
        credentials: Callable[[], Credentials | None],
        clock: IReactorTime,
        *,
        authorized_scopes: Sequence[str] | None = None,
        time: ServerTime | None = None,
        silence: Callable[[float], float] = as_usual,
    ) -> None:
        self._http = http
        self._root_url = root_url.rstrip("/")
        self._credentials = credentials
        self._clock = clock
        self._authorized_scopes = authorized_scopes
        self._time = ServerTime(partial(wall_seconds, clock)) if time is None else time
        self._silence = silence

    def __getattr__(self, name: str) -> Callable[..., Deferred[JSON]]:
        route = routes(type(self).module).get(name)
        if route is None:
            raise AttributeError(f"the {type(self).__name__} service has no call {name}")
        return partial(self._make, route)

    def _make(self, route: Route, *arguments: JSON, **query: JSON) -> Deferred[JSON]:
        call = prepare(route, arguments, query)

        def give_up(_: Deferred[JSON]) -> None:
            # Said before anything ends: what a request ends with may not tell that somebody wanted it to.
            call.given_up = True
            repeating.cancel()

        answer: Deferred[JSON] = Deferred(give_up)
        repeating = Deferred.fromCoroutine(self._repeat(call))
        repeating.addBoth(lambda result: None if call.given_up else answer.callback(result))
        return answer

    async def _repeat(self, call: Call) -> JSON:
        for delay in islice(BACKOFF.delays(), ATTEMPTS - 1):
            try:
                return await self._attempt(call, self._silence(SECONDS))
            except TaskclusterError as error:
                if call.given_up or not error.may_pass:
                    raise
                # Of what passes within a moment nobody needs to know; what lasts is told by who made the call, too.
                level = LogLevel.info if delay >= WORTH_SAYING else LogLevel.debug
                self._log.emit(level, "{error}; trying again in {delay:.1f} s", error=error, delay=delay)
            await pause(self._clock, delay)
        return await self._attempt(call, self._silence(SECONDS))

    async def _attempt(self, call: Call, seconds: float) -> JSON:
        signed = self._time.seconds()
        try:
            return await self._send(call, seconds)
        except CallFailed as error:
            # Had the clock been right, it might have been taken. (A claimWork that is refused has claimed nothing.)
            if error.status != 401 or call.given_up or abs(self._time.seconds() - signed) < SKEW:
                raise
        return await self._send(call, seconds)

    async def _send(self, call: Call, seconds: float) -> JSON:
        url = self._root_url + call.target
        headers = {} if call.body is None else {"Content-Type": "application/json"}
        # Signed anew each time: by then a signature is old, and the credentials may be others.
        credentials = self._credentials()
        if credentials is not None:
            headers["Authorization"] = sign(
                call.method,
                url,
                credentials,
                time=self._time.seconds(),
                authorized_scopes=self._authorized_scopes,
            )
        asked = self._time.steady()
        try:
            answer = await self._http.request(call.method, url, headers=headers, body=call.body, timeout=seconds)
        except Unreachable as error:
            raise type(error)(call.name, f"{self._root_url}: {error.message}") from None
        content = content_of(call, answer)
        try:
            result = judge(call, answer, content)
        except CallFailed as error:
            # How a clock that is wrong is noticed. Other errors may come from whoever stands in between.
            if (error.status, error.code) == WRONGLY_SIGNED:
                self._hear(answer, asked)
            raise
        # Only now: whoever poses as Taskcluster may have another clock.
        if content is not None:
            self._hear(answer, asked)
        return result

    def _hear(self, answer: Answer, asked: float) -> None:
        if "date" in answer.headers and "age" not in answer.headers:
            self._time.heard(answer.headers["date"], asked)


class Queue(Service):
    """Tasks, their runs and their artifacts.

    @ivar lost_claims: how often the answer of a claimWork was lost, with the credentials of the runs that it may have
        held; the queue gives such runs to another worker after 20 minutes.
    """

    module = "queue"

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.lost_claims = 0

    def claim_work(self, task_queue_id: str, body: JSON) -> Deferred[JSON]:
        """Ask for tasks; waits up to 20 s for one. Never made again by itself, for the answer holds credentials.

        Cancelling it does not end the request: runs in its answer are then counted as lost. Who waits and finds more
        L{lost_claims} than before is to say so.
        """
        call = prepare(routes(self.module)["claim_work"], (task_queue_id, body), {})
        # The caller gets another Deferred than the request has, so that giving up leaves that alone.
        waiting: Deferred[JSON] = Deferred(lambda _: None)
        Deferred.fromCoroutine(self._attempt(call, CLAIM_SECONDS)).addBoth(self._claimed, waiting).addErrback(
            # Nobody waits for this any more.
            lambda failure: self._log.failure("a claimWork's answer cannot be read", failure=failure)
        )
        return waiting

    def _claimed(self, result: JSON | Failure, waiting: Deferred[JSON]) -> None:
        given_up = waiting.called
        # Counted first: who waits says it with what else there is to say.
        if isinstance(result, Failure):
            if _may_have_claimed(result.value):
                self.lost_claims += 1
                self._tell_lost(result, given_up)
        elif given_up and result and result.get("tasks"):
            self.lost_claims += 1
            self._say_lost("nobody waited for the answer any more")
        if not given_up:
            waiting.callback(result)

    def _tell_lost(self, failure: Failure, given_up: bool) -> None:
        """Say that an answer is lost if nobody else does."""
        if failure.check(CancelledError):
            # Nothing ends the request itself but the end of the whole client, which has no words of its own.
            self._say_lost("the client was closed before it came")
        elif given_up:
            self._say_lost(failure.getErrorMessage())

    def _say_lost(self, why: str) -> None:
        self._log.warn("the answer of a claimWork is lost ({why}); {count} so far", why=why, count=self.lost_claims)


class Auth(Service):
    """Clients, roles and scopes."""

    module = "auth"


class Index(Service):
    """Names of tasks."""

    module = "index"


class Object(Service):
    """Objects: content of artifacts."""

    module = "object"


class PurgeCache(Service):
    """Requests to throw caches away."""

    module = "purgecache"


class Secrets(Service):
    """Secrets by name."""

    module = "secrets"


class WorkerManager(Service):
    """Worker pools and their workers."""

    module = "workermanager"


def _may_have_claimed(error: BaseException | None) -> bool:
    """Whether a claimWork that ended so may have claimed something: not if the queue itself says what is wrong."""
    if isinstance(error, CallFailed):
        return error.status >= 500 and not error.code
    return not isinstance(error, Unsent)
