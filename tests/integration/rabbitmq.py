"""A real RabbitMQ for tests: Debian's, as a node with a name, ports, folders and a cookie of its own.

It takes seconds to start, so the tests of one process share one: L{shared}. It does not outlive the process that
started it, however that ends.
"""

from __future__ import annotations

import atexit
import os
import select
import shutil
import socket
import subprocess
import sys
from functools import cache
from urllib.parse import quote

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.error import ConnectError
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.threads import deferToThread
from twisted.python.failure import Failure

from tcworker.waiting import OneShot, pause
from tests.integration import keeper

KEEPER = keeper.__file__

HOST = "127.0.0.1"
USER = "tests"
PASSWORD = "pass/word@%:1"
VHOST = "tcworker/tests"

# Not the wrapper of that name in /usr/sbin, which becomes another user and forgets the environment.
SERVER = "/usr/lib/rabbitmq/bin/rabbitmq-server"
CONTROL = "/usr/lib/rabbitmq/bin/rabbitmqctl"

CONFIG = f"""\
listeners.tcp.1 = {HOST}:{{port}}
default_user = {USER}
default_pass = {PASSWORD}
default_vhost = {VHOST}
disk_free_limit.absolute = 1MB
vm_memory_high_watermark.absolute = 500MB
log.console = false
"""

START_SECONDS = 60.0


class RabbitMQ:
    """One server, which can be stopped and started again with all that it keeps.

    @param folder: absolute, for everything that it writes; made anew.
    @ivar url: with user, password and virtual host, the latter two with what must be percent-encoded in them.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._running: list[subprocess.Popen[bytes]] = []
        self.port, self._distribution_port, self._epmd_port = _free_ports(3)
        self.url = self.url_of(USER, PASSWORD)
        os.makedirs(os.path.join(folder, "home"))
        self._write("rabbitmq.conf", CONFIG.format(port=self.port))
        self._write("enabled_plugins", "[].\n")

    def url_of(self, user: str, password: str, vhost: str = VHOST) -> str:
        """Give the address as it is for somebody else or elsewhere."""
        login = f"{quote(user, safe='')}:{quote(password, safe='')}"
        return f"amqp://{login}@{HOST}:{self.port}/{quote(vhost, safe='')}"

    def start(self) -> None:
        """Start it, unless it runs, without waiting until it is ready."""
        if self._running:
            return
        # Its own mapper of node names, which else a node would leave behind as a daemon for all.
        self._spawn("epmd", "epmd", "-relaxed_command_check")
        self._spawn("server", SERVER)

    async def when_ready(self) -> None:
        """Wait until it speaks AMQP. Raises C{RuntimeError} with its output if it does not come to that."""
        give_up = reactor.seconds() + START_SECONDS
        while not await _speaks_amqp(self.port):
            if reactor.seconds() > give_up or any(map(_is_over, self._running)):
                self.stop()
                raise RuntimeError(f"RabbitMQ did not start: {self._read('server.out')}")
            await pause(reactor, 0.1)

    def stop(self) -> None:
        """End it at once, as a failure of its machine would; what it has confirmed is kept."""
        for process in self._running:
            process.stdin.close()
            # Ends when the keeper does.
            process.stdout.read()
            process.stdout.close()
        self._running = []

    async def control(self, *arguments: str) -> None:
        """Call C{rabbitmqctl} with arguments. Raises C{CalledProcessError} if that refuses."""
        # It asks the node's mapper, and proves by the node's cookie that it may.
        command = [CONTROL, *arguments]
        await deferToThread(subprocess.run, command, env=self._environment(), check=True, capture_output=True)

    def remove(self) -> None:
        """End it for good, and leave nothing behind."""
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _spawn(self, name: str, *command: str) -> None:
        with open(os.path.join(self._folder, f"{name}.out"), "ab") as output:
            process = subprocess.Popen(
                [sys.executable, KEEPER, *command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                env=self._environment(),
            )
        # It is the keeper's child that goes on.
        process.wait()
        self._running.append(process)

    def _environment(self) -> dict[str, str]:
        here = self._folder
        return {
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "HOME": f"{here}/home",
            "ERL_EPMD_PORT": str(self._epmd_port),
            "ERL_EPMD_ADDRESS": HOST,
            "RABBITMQ_NODENAME": f"tcworker-{self.port}@localhost",
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_CONFIG_FILE": f"{here}/rabbitmq.conf",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{here}/enabled_plugins",
            "RABBITMQ_MNESIA_BASE": f"{here}/mnesia",
            "RABBITMQ_LOG_BASE": f"{here}/log",
            "RABBITMQ_PID_FILE": f"{here}/pid",
            "RABBITMQ_DIST_PORT": str(self._distribution_port),
            # Lets the script become the server instead of waiting for it, so that ours is the process to end.
            "RABBITMQ_ALLOW_INPUT": "1",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-noinput +S 1:1 -kernel inet_dist_use_interface {127,0,0,1}",
        }

    def _write(self, name: str, text: str) -> None:
        with open(os.path.join(self._folder, name), "w") as file:
            file.write(text)

    def _read(self, name: str) -> str:
        with open(os.path.join(self._folder, name), errors="replace") as file:
            return file.read()


def _is_over(keeper: subprocess.Popen[bytes]) -> bool:
    readable, _, _ = select.select([keeper.stdout], [], [], 0)
    return bool(readable)


def shared() -> RabbitMQ:
    """Give the server of this process, started; it may not be ready yet."""
    server = _shared()
    server.start()
    return server


@cache
def _shared() -> RabbitMQ:
    server = RabbitMQ(os.path.abspath(f"rabbitmq-{os.getpid()}"))
    atexit.register(server.remove)
    return server


class _Greeting(Protocol):
    """Says the first words of AMQP and waits for an answer."""

    def __init__(self) -> None:
        self.answered: OneShot[bool] = OneShot()

    def connectionMade(self) -> None:
        assert self.transport is not None
        self.transport.write(b"AMQP\x00\x00\x09\x01")

    def dataReceived(self, data: bytes) -> None:
        assert self.transport is not None
        self.transport.loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.answered.succeed(bool(reason.check(type(connectionDone.value))))


async def _speaks_amqp(port: int) -> bool:
    greeting = _Greeting()
    try:
        await connectProtocol(TCP4ClientEndpoint(reactor, HOST, port, timeout=5), greeting)
    except ConnectError:
        return False
    answered: Deferred[bool] = greeting.answered.wait()
    return await answered


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server((HOST, 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports
