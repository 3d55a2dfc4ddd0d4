"""The contracts between the parts of tcworker.

Everything that waits returns a Deferred that may be cancelled. Errors named in a method's text are those of
L{tcworker.errors}. Whoever writes a platform, a host or a feature of their own implements what stands here and nothing
else; C{tcworker.testing} has the suites that such an implementation must pass.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any, Protocol, TypeAlias

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProcessProtocol, IPushProducer, IReactorTime, ITransport
from twisted.web.iweb import IBodyProducer
from zope.interface import Attribute, Interface

from tcworker.errors import ProcessStatus as ProcessStatus  # part of the contract of Exit
from tcworker.errors import TaskError

JSON: TypeAlias = Any
"""What came from JSON or YAML."""

Unsubscribe: TypeAlias = Callable[[], None]
"""Call it to be told no more; repeatable."""

ScopeExpression: TypeAlias = str | Mapping[str, Any]
"""A scope, or C{{"AllOf": [...]}} / C{{"AnyOf": [...]}} of expressions."""


@dataclass(frozen=True)
class Credentials:
    """Taskcluster credentials; the certificate (a JSON string) only for temporary ones.

    The secret parts stay out of C{repr}, so that no log line or traceback shows them.
    """

    client_id: str
    access_token: str = field(repr=False)
    certificate: str | None = field(default=None, repr=False)

    @classmethod
    def from_json(cls, answer: Mapping[str, Any]) -> Credentials:
        """Read C{{clientId, accessToken, certificate?}} as the queue and worker-manager answer it."""
        return cls(answer["clientId"], answer["accessToken"], answer.get("certificate") or None)


@dataclass(frozen=True)
class Notice:
    """The host says that the worker must go.

    @ivar graceful: whether running tasks may finish.
    @ivar seconds_left: until the machine is gone, C{None} when nobody knows.
    """

    graceful: bool
    seconds_left: float | None
    why: str


@dataclass(frozen=True)
class Exit:
    """Why a worker ended, and the status its process should end with, one of L{ProcessStatus}."""

    status: int
    why: str


@dataclass(frozen=True)
class SandboxRecord:
    """What another process needs to find and kill a sandbox, and to remove what it left.

    @ivar platform: the platform's name.
    @ivar details: JSON of the platform's own.
    """

    platform: str
    details: Mapping[str, Any]


@dataclass(frozen=True)
class Service:
    """A server that runs beside a task, for example a database.

    @ivar health: a command that exits 0 once the service answers; empty for "when it runs".
    """

    name: str
    image: str
    command: Sequence[str] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    health: Sequence[str] = ()


@dataclass(frozen=True)
class Size:
    """Of a terminal, in characters."""

    columns: int
    rows: int


@dataclass(frozen=True)
class ExitStatus:
    """How a process ended: with a status, or C{None} and the signal's number."""

    status: int | None
    signal: int | None = None

    @property
    def success(self) -> bool:
        """Whether it exited with 0."""
        return self.status == 0


@dataclass(frozen=True)
class CommandRecord:
    """One command of a task that has ended; times in seconds, peak memory in bytes.

    @ivar peak: 0 if it was less than C{least_peak}, below which nobody can tell.
    @ivar problem: why the command could not be started, C{None} when it was.
    """

    argv: Sequence[str]
    exit: ExitStatus
    user: float = 0.0
    system: float = 0.0
    wall: float = 0.0
    peak: int = 0
    problem: str | None = None
    least_peak: int = 0


@dataclass(frozen=True)
class Usage:
    """What the processes of a sandbox use of the machine.

    @ivar cpu: seconds of processor time, so far.
    @ivar memory: bytes, now.
    @ivar disk: bytes read from disks and written to them, so far.
    @ivar processes: how many live now.
    """

    cpu: float
    memory: int
    disk: int
    processes: int


class Reach(Enum):
    """What a task can reach of one that ran before it on the same worker."""

    NOTHING = "nothing"
    """It may run while the earlier one's artifacts are uploaded."""

    EACH_OTHER = "each other"
    """Its files, for both run as one user; but not those of the worker, where its log is."""

    WORKER = "worker"
    """Its log as well, for it has the worker's own rights, or all."""


class IArchivedFile(Interface):
    """A file that a task left behind, opened by nobody yet."""

    path: str = Attribute("Where it was in the sandbox: for a file of a folder relative to that folder, with slashes.")
    size: int = Attribute("Bytes, when it was archived.")

    def open() -> IBodyProducer:
        """Open it for one upload; C{length} is C{size}, and exactly so many bytes will be produced.

        May be called again for another try. Raises L{ArchiveError}. Of a file that has grown since, those are its
        first; one that has become shorter fails the producer's Deferred with L{ArchiveError}. C{stopProducing} may
        be called at any time and repeatedly.
        """

    def close() -> None:
        """It will not be opened again; whoever was given the file calls this once it is published. Repeatable."""


@dataclass(frozen=True)
class ArchiveFault:
    """An entry of a folder that could not be archived; C{path} is relative to the folder."""

    path: str
    reason: str
    message: str


@dataclass(frozen=True)
class FileArtifact:
    """A file to publish.

    @ivar content_encoding: C{identity} or C{gzip}; the one who publishes compresses. C{None}: by the extension of the
        file's path.
    @ivar content_type: C{None}: by the same.
    """

    name: str
    expires: datetime
    file: IArchivedFile
    content_type: str | None = None
    content_encoding: str | None = None


@dataclass(frozen=True)
class GzippedArtifact:
    """Content that already is gzip, published with C{Content-Encoding: gzip}.

    @ivar length: bytes before compression.
    """

    name: str
    expires: datetime
    file: IArchivedFile
    content_type: str
    length: int


@dataclass(frozen=True)
class LinkArtifact:
    """Another name of an artifact of the same run."""

    name: str
    expires: datetime
    target: str
    content_type: str


@dataclass(frozen=True)
class ReferenceArtifact:
    """A name for an address elsewhere."""

    name: str
    expires: datetime
    url: str = field(repr=False)
    content_type: str = "application/octet-stream"


@dataclass(frozen=True)
class ErrorArtifact:
    """Says why an artifact is not there; C{reason} is one of the queue's words."""

    name: str
    expires: datetime
    reason: str
    message: str


Artifact: TypeAlias = FileArtifact | GzippedArtifact | LinkArtifact | ReferenceArtifact | ErrorArtifact

Publish: TypeAlias = Callable[[Artifact], Deferred[None]]
"""What publishes an artifact, as L{ITaskContext.publish} does."""


class IHost(Interface):
    """Where the worker is: who it is there, with what configuration and credentials, and when it must go.

    Also an C{IService}; L{tcworker.host.service.HostService} owns one.
    """

    def load_config() -> Deferred[Mapping[str, Any]]:
        """Identity, credentials and settings of this place, in the configuration's own names.

        Fails with L{ConfigError}, which lists all faults, or L{HostUnavailable}, after which it is asked again.
        """

    def should_shut_down_now(idle_seconds: float) -> Deferred[bool]:
        """Whether to go now; asked before each claim while nothing runs. An error counts as no."""

    def on_shutting_down(call: Callable[[Notice], None]) -> Unsubscribe:
        """Be told when the machine must go, maybe repeatedly; a notice already known is delivered at once."""

    def on_credentials(call: Callable[[Credentials], None]) -> Unsubscribe:
        """Be told of new worker credentials, before the old ones end."""

    def leave(exit: Exit) -> Deferred[None]:
        """Called once, after the last run is resolved: remove the worker, power off if configured."""


class IPlatform(Interface):
    """A kind of sandbox that this worker can run tasks in."""

    name: str = Attribute("As in the configuration, for example C{native}.")
    schema: Mapping[str, Any] = Attribute(
        "JSON schema of its slice of the payload: C{properties} and C{required}; unknown keys are refused elsewhere."
    )

    def accepts(payload: Mapping[str, Any]) -> bool:
        """Whether a payload, an object not checked yet, is meant for this platform; pure."""

    def prepare(left: Sequence[SandboxRecord]) -> Deferred[None]:
        """Before the first claim: its tools are there, and all that a dead worker left is gone.

        Fails with an exception whose text says what is missing and what to do.
        """

    def sweep() -> Deferred[None]:
        """Remove what is nobody's: what workers left that died meanwhile, and what could not be removed before.

        Called now and then, while tasks run. What cannot go is logged.
        """

    def new_engine(context: ITaskContext) -> IEngine:
        """A sandbox not yet started; no I/O. Raises L{MalformedPayload}."""

    def new_cache_folder(name: str) -> Deferred[ICacheFolder]:
        """An empty folder that engines of this platform can attach. L{FeatureNotSupported}."""

    def find_cache_folder(name: str, details: Mapping[str, Any]) -> Deferred[ICacheFolder | None]:
        """One that an earlier worker made, by what it noted in C{details}; C{None} when it is not there any more."""

    def sweep_cache_folders() -> Deferred[None]:
        """Remove the folders that this worker has neither made nor found, and those that could not go before.

        Those that cannot go are logged.
        """

    def dispose() -> Deferred[None]:
        """Nothing of the platform is left; all its engines must be gone."""


class IEngine(Interface):
    """A sandbox before it runs; consumed by exactly one of L{start} and L{discard}.

    The C{attach_} methods may run side by side; all methods come before C{start}.
    """

    reach: Reach = Attribute("What its task can reach of an earlier one, which decides when its slot is free.")

    def set_env(name: str, value: str) -> None:
        """Set a variable of the task. L{NamingConflict} if set twice, L{MalformedPayload} if not a possible name."""

    def join_group(name: str) -> None:
        """Let the task's processes be members of a group of this machine as well; before L{start}, repeatable.

        L{MalformedPayload} for a group that does not exist or cannot be had here; L{FeatureNotSupported}.
        """

    def run_as_worker() -> None:
        """Let the task run as the worker's own user, with all its rights; before L{start}. L{FeatureNotSupported}."""

    def attach_cache(
        folder: ICacheFolder, target: str, label: str, too_large: Callable[[], None] | None = None
    ) -> Deferred[None]:
        """Let the task have a folder, and what it changes there stay in it.

        It is moved to its place when the sandbox starts, which takes the same time however much is in it, and back by
        L{IResult.detach_cache}. Should the sandbox not start, or be discarded, it is back, whole, when that is known.
        Of an execution that is aborted or breaks, and of a result that is disposed before it was detached, it is lost.

        What is attached is placed in the order of the calls, the later over the earlier: into a cache, too, which
        keeps it. Folders on the way are made, and are the task's. No link is followed.

        Fails with L{FeatureNotSupported}; L{NamingConflict} where another cache, or what was attached before, has its
        place. That something cannot be placed is what L{start} fails with: L{TaskFailed} where the task's own caches
        are in the way, L{ResourceUnavailable} for a full disk; with the label before each message.

        @param target: relative to the task's folder, or absolute: such a one must lie in that folder or in C{/tmp}, or
            be a folder of the machine that the task's user may write to.
        @param label: what it is in messages, as C{mounts[2]}.
        @param too_large: if given, is called before L{start} fails for want of room for this cache on the disk that it
            would have to be copied to: there it would fail the next task as well.
        """

    def attach_tree(folder: ICacheFolder, target: str, label: str, read_only: bool) -> Deferred[None]:
        """Let the task see what is in a folder that others read as well: its changes are its own, and go with it.

        Nobody may change the folder before the result is disposed. Several may have one place, or lie in each other, as
        C{.} does for all: their folders become one. Fails and is placed as L{attach_cache} says.

        @param read_only: whether the task can change nothing there at all, and nothing else may lie in it:
            L{NamingConflict} then.
        """

    def attach_file(path: str, target: str, label: str) -> Deferred[None]:
        """Let the task have a copy of a file of the worker's own, which must stay until the sandbox has started.

        It takes the place of another file. Fails and is placed as L{attach_cache} says, with L{TaskFailed} where a
        folder is.
        """

    def attach_proxy(name: str, resource: Any) -> Deferred[str]:
        """Serve a C{twisted.web} resource to the task, and answer the URL at which the task finds it.

        L{FeatureNotSupported}, L{NamingConflict}.
        """

    def attach_service(service: Service) -> Deferred[None]:
        """Start a server beside the task; fires when it is healthy. L{FeatureNotSupported}, L{NamingConflict}."""

    def start() -> Deferred[IExecution]:
        """Run the commands, their output into the context's log.

        Where a disk is full for what is attached, or for anything else that it takes, the run's caches are asked to
        make room (L{ICaches.make_room}), and it is tried again.
        Cancelled or failed, it leaves nothing behind. Fails with L{Discarded} when L{discard} comes first, else with a
        L{TaskError}.
        """

    def discard() -> Deferred[None]:
        """Free everything instead of starting, or while starting; repeatable."""


class IExecution(Interface):
    """A sandbox that runs."""

    record: SandboxRecord = Attribute("What state.db keeps, so that another process can find and kill it.")

    def when_finished() -> Deferred[IResult]:
        """A fresh Deferred at each call, always with the same answer.

        Fires when every process of the task is dead and its last output is in the log. Fails with L{SandboxAborted},
        or with a L{TaskError} when the sandbox broke; then everything of it has been freed.
        """

    def kill(why: str, grace: float) -> None:
        """SIGTERM now, SIGKILL after C{grace} seconds to what is left; there still will be a result, C{killed=why}.

        Repeatable: the first C{why} stays, a shorter grace wins. Without effect after the end.
        """

    def abort(why: str) -> Deferred[None]:
        """SIGKILL; fires when all is freed, and L{when_finished} fails with L{SandboxAborted}. Repeatable.

        After the end it fails with L{SandboxEnded}: the result is there and must be disposed.
        """

    def new_exec(
        protocol: IProcessProtocol, command: Sequence[str], env: Mapping[str, str], tty: Size | None
    ) -> Deferred[IExec]:
        """Another process in the sandbox, with the task's environment under C{env}; it ends with the sandbox.

        The protocol gets C{childDataReceived} with 1 and 2 (with a terminal only 1) and C{processEnded} as from
        C{spawnProcess}. Fails with L{SandboxEnded}, or L{TaskFailed} for a command that cannot be started.
        """

    def measure() -> Deferred[Usage]:
        """What it uses. Fails with L{SandboxEnded}, or L{FeatureNotSupported} where nobody can tell."""


class IExec(ITransport, IPushProducer):
    """A process beside the task's own: write to its stdin, C{loseConnection} to close that."""

    def resize(size: Size) -> None:
        """Of its terminal; L{FeatureNotSupported} without one."""

    def abort() -> None:
        """SIGKILL it and its process group; repeatable."""

    def when_ended() -> Deferred[ExitStatus]:
        """Its exit status or signal; a fresh Deferred at each call."""


class IResult(Interface):
    """A sandbox that is over: every process is dead, its files are still there."""

    success: bool = Attribute("Whether every command exited with 0 and nobody killed it.")
    killed: str | None = Attribute("Why L{IExecution.kill} was called, C{None} if it was not or came too late.")
    commands: Sequence[CommandRecord] = Attribute("Those that ran, in order; the last is the one that failed.")
    out_of_memory: bool = Attribute("Whether the kernel killed a process of the task for want of memory.")

    def archive_file(path: str) -> Deferred[IArchivedFile]:
        """A file by its path in the sandbox, relative to the task's folder or absolute.

        L{NotFound}, L{NotReadable} (by the task's user), L{NotAFile}.
        """

    def archive_folder(path: str) -> AsyncIterator[IArchivedFile | ArchiveFault]:
        """The files of a folder and of those in it, one at a time, sorted by path.

        Links to folders are not followed; faults of single entries are yielded. L{NotFound}, L{NotReadable} or
        L{NotAFile} (at the first step) when the folder itself is not there.
        """

    def archive() -> AsyncIterator[bytes]:
        """The whole sandbox as a tar, in pieces."""

    def detach_cache(folder: ICacheFolder) -> Deferred[None]:
        """Take back a folder that was attached as the task's cache, with what the task made of it; once.

        Nothing of the sandbox finds it any more. Where a disk is full for it, room is made as by L{IEngine.start}.
        Fails with L{TaskFailed} when the task has removed it or put something else into its place,
        L{ResourceUnavailable} when it cannot be moved; it is lost then.
        """

    def dispose() -> Deferred[None]:
        """The folder, user or container is gone when it fires, with caches that nobody detached; repeatable."""


class ICacheFolder(Interface):
    """A folder that outlives tasks: a task's cache, or something that many tasks share and none changes."""

    name: str = Attribute("The cache's name, or what it is, for people.")
    path: str | None = Attribute("Where it is; C{None} where the platform keeps it.")
    size: int = Attribute("Bytes by disk blocks, as last measured.")
    owner: tuple[int, int] | None = Attribute(
        "Of one that is new: user and group that what is put into it must belong to, which nobody else has; C{None} "
        "for the worker's own."
    )
    details: Mapping[str, Any] = Attribute(
        "JSON by which its platform finds it again. Looked at when it is new and whenever it is given back, so that "
        "what a task changed (who owns what is in it) may stand there."
    )

    def is_there() -> Deferred[bool]:
        """Whether it still exists, which somebody on the machine may have changed; never fails."""

    def measure() -> Deferred[int]:
        """Bytes by disk blocks, which are its C{size} from now on; while a task has it, what is found is some size."""

    def archive() -> AsyncIterator[bytes]:
        """Its contents as a tar, in pieces: for platforms and tools of others, the worker itself has no use for it."""

    def delete() -> Deferred[None]:
        """Gone from sight, then removed; fires when its bytes are free.

        Fails with C{OSError} for what cannot go: sweeping its platform's folders tries again. One that is not there is
        deleted. Repeatable.
        """


Say: TypeAlias = Callable[[str], None]
"""Be told a line about what is going on, without a prefix."""

Make: TypeAlias = Callable[[ICacheFolder, Say], Deferred[JSON]]
"""What fills an empty folder, and fires with facts about it, JSON that is kept with it."""


class IHeldCache(Interface):
    """A cache in somebody's hands: given back or dropped by whoever was given it, once; further calls do nothing."""

    folder: ICacheFolder = Attribute("What is held.")
    fresh: bool = Attribute("Whether it was made just now: a writable one is empty then, a shared one was not there.")
    facts: JSON = Attribute("What the maker of a shared one said about it; C{None} for a writable one.")

    def give_back() -> Deferred[None]:
        """It is whole, and where it was: others may have it.

        Fires when a restart does not change that, or nobody can make sure of it; never fails.
        """

    def drop(why: str) -> Deferred[None]:
        """Nobody may have it any more; fires when nobody can, and never fails.

        A shared one is removed when the last one who holds it has let go of it.
        """


class RoomMade(Enum):
    """What came of making room on the disks."""

    SOME = "something went"
    """Who had no room may try again."""

    NOT_YET = "it is being made still"
    """It takes longer than anybody should wait. Who has no room when he tries again asks again, and waits for more."""

    NONE = "nothing went"
    """Nothing is left that could go."""


class ICaches(Interface):
    """The caches that one run may have, kept by the worker over its tasks, on the run's platform.

    Whoever waits may be cancelled, and then holds nothing.
    """

    def heed_purges() -> Deferred[None]:
        """Throw away what Taskcluster has been asked to have purged; once a run, before its first writable cache.

        Never fails, and takes seconds at the most: during an outage caches are used as they are.
        """

    def make_room(full: str | None = None) -> Deferred[RoomMade]:
        """A disk was full for somebody who wrote to it: throw away what nobody uses now.

        Takes a minute at the most, and never fails.

        @param full: a path on that disk; where nothing of the kind is kept on it, all stays. C{None} if nobody knows.
        """

    def exclusive(name: str) -> Deferred[IHeldCache]:
        """The writable cache of this name that was used last and that no other run holds, or else a new, empty one.

        Fails with L{FeatureNotSupported}, or C{sqlite3.Error} or C{OSError} when the disk does not take it.
        """

    def shared(key: str, make: Make, say: Say) -> Deferred[IHeldCache]:
        """A folder of the run's platform that many read and nobody changes, made if it is not there.

        All who ask for one key wait for one making, and are told how it goes. It is cancelled when all of them have
        gone. Fails with what the making failed with, which is not kept: who asks after that makes it again. When the
        one whose making it is has gone, and it fails, another one's is tried.

        @param key: what it is made of, and how, as C{tar.zst:artifact:…}. No secrets: it stands in the worker's log.
        """

    def downloaded(key: str, make: Make, say: Say) -> Deferred[IHeldCache]:
        """The same for a folder of the worker's own (C{downloadsDir}), which knows no platform: for files."""


class IContent(Interface):
    """Something to fetch, as it was when it was resolved."""

    key: str = Attribute("Equal keys mean equal content, whoever asks and whenever.")
    words: str = Attribute("What it is, for a log, without secrets.")
    sha256: str | None = Attribute("In hexadecimal, which it must have; C{None} when nobody said.")
    lasting: bool = Attribute("Whether it is worth keeping for others: what cannot be recognised again is not.")


@dataclass(frozen=True)
class Fetched:
    """What was fetched: its bytes (with C{Content-Encoding} undone), their SHA-256, and the seconds that it took."""

    size: int
    sha256: str
    seconds: float


class ISink(Interface):
    """Takes content while it arrives; each method is called when the Deferred of the one before has fired.

    What one of them fails with ends the download, is not tried again, and comes out of L{IContents.fetch}.
    """

    def begin(size: int | None) -> Deferred[None]:
        """Make ready for the first byte; called again, whatever came so far is void.

        @param size: how many bytes will come, C{None} when nobody knows.
        """

    def write(data: bytes) -> Deferred[None]:
        """Take the next piece, of up to a megabyte or so; another one comes when it fires."""

    def finish() -> Deferred[None]:
        """Nothing follows, and it is what it should be; fires when all of it is in its place."""

    def abandon() -> Deferred[None]:
        """It will not be finished; fires when nothing of the sink is at work any more, what it made may stay.

        May come while another method's Deferred has not fired (which was cancelled then), or before any; repeatable.
        """


class IContents(Interface):
    """Where a run's content comes from: artifacts with the run's credentials, addresses, and the payload itself."""

    def resolve(content: Mapping[str, Any], say: Callable[[str], None], pinned: bool = True) -> Deferred[IContent]:
        """Find out what a content of the payload (contracts of generic-worker, 1) means now.

        To be called at each use, for it is here that the queue says whether the task may read an artifact. Asks the
        index, the queue, and for an address without checksum its server whether it changed.

        Fails with L{MalformedPayload} for an address of another kind than http, L{DownloadFailed} for what is not
        there or cannot be had, L{ResourceUnavailable} when Taskcluster is away.

        @param say: is told for the task's log what it waits for.
        @param pinned: whether it is to be fetched in the state that it has now; without, as L{unpinned}, and no server
            is asked for that state.
        """

    def unpinned(content: IContent) -> IContent:
        """The same as it will be when it is fetched, whatever it was when it was resolved; so it is not lasting."""

    def fetch(content: IContent, sink: ISink, say: Callable[[str], None]) -> Deferred[Fetched]:
        """Give all of it to a sink. When this fires the sink has been finished, or else abandoned.

        A download that breaks is resumed where it broke, or begun anew, until it made no progress for
        C{mounts.retrySecs}. Fails as L{resolve} does, with L{DownloadFailed} for a checksum that is wrong, with
        L{ContentChanged} when it is not what was resolved any more, and with what the sink failed with. Cancelling it
        ends it.

        @param say: is told for the task's log how it goes, a line at a time.
        """

    def fetch_file(content: IContent, path: str, say: Callable[[str], None]) -> Deferred[Fetched]:
        """Fetch it into a file, readable by the worker alone, at a path where there is nothing yet.

        As L{fetch}; L{ResourceUnavailable} when the disk has no room. What is left of a file that was not finished,
        the caller removes. For folders that no task can reach.
        """


class IFeature(Interface):
    """What tasks can ask for beyond commands; one instance a worker."""

    name: str = Attribute("As in the configuration.")
    schema: Mapping[str, Any] = Attribute("JSON schema of its slice of the payload: C{properties}, C{required}.")
    after: Sequence[str] = Attribute("Names of features whose hooks must be done before its own begin.")

    def for_task(context: ITaskContext) -> ITaskFeature | None:
        """The feature for one run, C{None} when the task does not ask for it. Raises L{MalformedPayload}. No I/O."""


class ITaskFeature(Interface):
    """A feature at work for one run.

    Each hook may fail with a L{TaskError}, which ends the run with its resolution (C{cleanup}: is logged). C{stopped},
    C{upload} and C{cleanup} are called even if an earlier hook failed; C{started}, C{stopped} and C{upload} only if
    the sandbox ran.
    """

    def load(engine: IEngine) -> Deferred[None]:
        """Before the sandbox starts: fetch, check, attach."""

    def started(execution: IExecution) -> Deferred[None]:
        """The sandbox runs."""

    def stopped(result: IResult) -> Deferred[None]:
        """The sandbox is over; the task's caches can be taken back."""

    def upload(result: IResult) -> Deferred[None]:
        """Publish what the task made. The log is still open."""

    def cleanup() -> Deferred[None]:
        """The run is resolved; leave nothing behind."""


class ILentLog(Interface):
    """The raw log in the hands of whoever runs the task's commands."""

    descriptor: int = Attribute("Of the raw file; its offset is the end.")
    ring: int = Attribute("Of the file that keeps the end of a log over its limit (L{tcworker.launcher.sink}).")
    limit: int = Attribute("Bytes that the log may have, 0 for no limit.")

    def give_back() -> None:
        """Nobody else writes from now on; repeatable."""


class ITaskLog(Interface):
    """The log of one run: what the task printed, and the worker's own lines between, in order."""

    def last_printed() -> float:
        """When the task last printed something, by the clock, or when the log was begun; the worker's lines are none.

        While it is lent, this is known to some tenths of a second.
        """

    def info(message: str) -> None:
        """Write C{[taskcluster <time>] message}, once for each line of the message."""

    def warn(message: str) -> None:
        """Write C{[taskcluster:warn <time>] message}."""

    def error(message: str) -> None:
        """Write C{[taskcluster:error] message}."""

    def write(data: bytes) -> None:
        """Append what a task printed, for platforms that have it in hand."""

    def lend(append: Callable[[bytes], None]) -> ILentLog:
        """Let another process write to the raw file; until it is given back, the worker's own lines go to C{append}."""

    def follow(call: Callable[[bytes], None]) -> Unsubscribe:
        """Be given the log from its beginning, in pieces and masked, as it grows.

        After the last piece of a sealed log comes C{b""}.
        """


class QueueCalls(Protocol):
    """The calls of the queue that a worker makes; L{tcworker.client.services.Queue} has all others too.

    @ivar lost_claims: how often the answer of a claimWork was lost that may have held runs.
    """

    lost_claims: int

    def claim_work(self, task_queue_id: str, body: JSON, /) -> Deferred[JSON]: ...

    def reclaim_task(self, task_id: str, run_id: int, /) -> Deferred[JSON]: ...

    def report_completed(self, task_id: str, run_id: int, /) -> Deferred[JSON]: ...

    def report_failed(self, task_id: str, run_id: int, /) -> Deferred[JSON]: ...

    def report_exception(self, task_id: str, run_id: int, body: JSON, /) -> Deferred[JSON]: ...

    def create_artifact(self, task_id: str, run_id: int, name: str, body: JSON, /) -> Deferred[JSON]: ...

    def finish_artifact(self, task_id: str, run_id: int, name: str, body: JSON, /) -> Deferred[JSON]: ...

    def status(self, task_id: str, /) -> Deferred[JSON]: ...

    def statuses(self, body: JSON, /) -> Deferred[JSON]: ...

    def task(self, task_id: str, /) -> Deferred[JSON]: ...


class ITaskContext(Interface):
    """One run, as platforms and features see it."""

    task_id: str = Attribute("")
    run_id: int = Attribute("")
    name: str = Attribute("C{taskId/runId}, as in the worker's log.")
    task: Mapping[str, Any] = Attribute("The task's definition, as the queue gave it.")
    payload: Mapping[str, Any] = Attribute("Of the task, checked against the schema.")
    deadline: datetime = Attribute("Of the task, aware, UTC.")
    expires: datetime = Attribute("Of the task, aware, UTC.")
    root_url: str = Attribute("Of the Taskcluster that the run comes from.")
    folder: str = Attribute("A folder of the worker's own for this run, which no task may enter; removed with the run.")
    clock: IReactorTime = Attribute("")
    queue: QueueCalls = Attribute("L{tcworker.client.services.Queue}, signing with the run's newest credentials.")
    log: ITaskLog = Attribute("")
    caches: ICaches = Attribute("Those that the run may have; there when features are asked what they have for it.")
    contents: IContents = Attribute("What the task's payload can have fetched, with the run's newest credentials.")

    def mask(secret: str) -> None:
        """Never leaves the machine in a log from now on, earlier output included.

        Nor do its lines, nor what it is in JSON, in URLs and in base64. One of fewer than 6 bytes is not masked.
        """

    def require_scopes(*alternatives: ScopeExpression) -> Deferred[None]:
        """Check that the task has the scopes of one alternative.

        Fails with L{MalformedPayload} that names all that lack, L{ResourceUnavailable} if auth is away.
        """

    def on_credentials(call: Callable[[Credentials], None]) -> Unsubscribe:
        """Be told of the run's new credentials, at each reclaim."""

    def publish(artifact: Artifact) -> Deferred[None]:
        """Publish an artifact: encoding, retries, fresh addresses are dealt with here.

        L{NamingConflict} for a name that is reserved, unless it is an address under which a log is until it is there;
        L{MalformedPayload} for one already taken with other content, L{ResourceUnavailable} when the storage or the
        queue does not take it in the time there is, L{TooLate} when that is because the worker must go,
        L{ArchiveError} for a file that cannot be read.
        """

    def reserve(name: str) -> Publish:
        """Keep the name of an artifact for whoever calls this, from C{for_task}, and answer what publishes it.

        Nobody else can publish under it then. L{NamingConflict} if somebody has reserved it, as the worker does with
        the names of the log.
        """

    def is_reserved(name: str) -> bool:
        """Whether no artifact of the payload can have this name: the log or a feature has it."""

    def time_left() -> float:
        """Seconds until uploads of files must end."""

    def in_haste() -> bool:
        """Whether the worker must go: what is most wanted is to be published first, and small files before large ones.

        Nothing prolongs L{time_left} then, and L{publish} fails with L{TooLate} for files that would take longer.
        """

    def on_haste(call: Callable[[], None]) -> Unsubscribe:
        """Be told when that begins."""

    def seconds_to_publish(size: int) -> float:
        """How long files of so many bytes take after those that are on their way, by the speed measured so far."""

    def fail(error: TaskError) -> None:
        """End the run with that error's resolution; from any hook, at any time."""
