"""The command in the reactor of the tests: how it starts, refuses and ends."""

from __future__ import annotations

import io
import os
import re
import sqlite3
import sys
import tempfile
from contextlib import closing, redirect_stderr
from typing import Any

import requests
import taskcluster
from twisted.internet import reactor
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from tcworker.embedded.times import Times
from tcworker.server.command import ServerCommand
from tcworker.server.options import ServerOptions
from tcworker.waiting import OneShot

TOKEN = "a-token-of-22-letters-x"


class Running:
    """One run of the command.

    @ivar printed: what it printed so far.
    @ivar ended: fires with its status.
    @ivar ends: within how many seconds the process was to end, each time.
    """

    def __init__(self, variable: str = "", **options: Any) -> None:
        self.printed = ""
        self._there: OneShot[None] = OneShot()
        given = ServerOptions(**{"port": 0, "worker": False, **options})
        self.ends: list[float] = []
        self.command = ServerCommand(reactor, given, variable, self._print, self.ends.append)
        self.ended = self.command.run().addCallback(self._over)

    def _print(self, text: str) -> None:
        self.printed += text
        self._there.succeed(None)

    def _over(self, status: int) -> int:
        self._there.fail(AssertionError(f"it ended with {status}"))
        return status

    async def root_url(self) -> str:
        """Wait until it is there."""
        await self._there.wait()
        found = re.search("^export TASKCLUSTER_ROOT_URL=(.*)$", self.printed, re.MULTILINE)
        assert found
        return found[1]

    @property
    def token(self) -> str:
        return self.printed.partition("TASKCLUSTER_ACCESS_TOKEN=")[2].split()[0]

    async def end(self) -> int:
        self.command.interrupt()
        return await self.ended


class ServerCase(TestCase):
    timeout = 30

    def setUp(self) -> None:
        # What it says of its end is of no interest to who runs the tests.
        self.patch(sys, "stderr", io.StringIO())

    def start(self, variable: str = "", **options: Any) -> Running:
        running = Running(variable, **options)
        self.addCleanup(lambda: running.ended.called or running.end())
        return running

    def file(self, text: str, mode: int = 0o600) -> str:
        path: str = self.mktemp()
        with open(path, "w") as file:
            file.write(text)
        os.chmod(path, mode)
        return path

    async def refused(self, variable: str = "", **options: Any) -> str:
        """Give what it says when it refuses."""
        with redirect_stderr(io.StringIO()) as err:
            running = self.start(variable, **options)
            self.assertEqual(await running.ended, 64, running.printed)
        self.assertEqual(running.printed, "")
        self.assertEqual(len(err.getvalue().splitlines()), 1, err.getvalue())
        return err.getvalue()


class AServer(ServerCase):
    async def test_is_there_when_it_says_so_and_gone_after_its_end(self) -> None:
        running = self.start()
        url = f"{await running.root_url()}/api/queue/v1/ping"
        self.assertTrue((await deferToThread(requests.get, url, timeout=10)).json()["alive"])
        self.assertEqual(await running.end(), 0)
        with self.assertRaises(requests.ConnectionError):
            await deferToThread(requests.get, url, timeout=10)

    async def test_says_what_it_keeps_and_whether_it_has_a_worker(self) -> None:
        running = self.start()
        await running.root_url()
        self.assertIn("# All of it is gone", running.printed)
        self.assertIn("# It has no worker.", running.printed)
        folder = absolute(self.mktemp())
        running = self.start(data=folder, worker=True, pool="prov/type")
        await running.root_url()
        self.assertIn(f"# It keeps everything in {folder}.\n", running.printed)
        self.assertIn("# A worker takes tasks of prov/type.", running.printed)

    async def test_without_a_folder_leaves_nothing(self) -> None:
        self.patch(tempfile, "tempdir", self.mktemp())
        os.mkdir(tempfile.gettempdir())
        running = self.start()
        await running.root_url()
        self.assertEqual(len(os.listdir(tempfile.gettempdir())), 1)
        await running.end()
        self.assertEqual(os.listdir(tempfile.gettempdir()), [])

    async def test_can_be_told_to_end_before_it_is_there(self) -> None:
        running = self.start()
        self.assertEqual(await running.end(), 0)

    async def test_can_be_told_to_end_more_than_twice(self) -> None:
        for worker, longest in ((True, 10), (False, 5)):
            running = self.start(worker=worker)
            await running.root_url()
            running.command.interrupt()
            running.command.interrupt()
            self.assertEqual(await running.end(), 0)
            # Whatever its threads do.
            self.assertEqual(running.ends, [longest, 2, 2])


class BehindAProxy(ServerCase):
    async def test_it_is_announced_by_the_proxys_address(self) -> None:
        running = self.start(TOKEN, root_url="https://tc.example.com")
        self.assertEqual(await running.root_url(), "https://tc.example.com")
        found = re.search("^# A proxy finds it at port ([0-9]+)", running.printed, re.MULTILINE)
        assert found
        ping = {"url": f"http://127.0.0.1:{found[1]}/api/queue/v1/ping", "headers": {"Host": "tc.example.com"}}
        self.assertTrue((await deferToThread(requests.get, **ping, timeout=10)).json()["alive"])


class TheTimes(ServerCase):
    async def test_are_those_that_were_given(self) -> None:
        running = self.start(times=Times(poll=0.01))
        root_url = await running.root_url()
        credentials = {"clientId": "static/taskcluster/root", "accessToken": running.token}
        queue = taskcluster.Queue({"rootUrl": root_url, "credentials": credentials, "maxRetries": 0})
        polling = deferToThread(queue.claimWork, "a/b", {"workerGroup": "g", "workerId": "w"})
        # By default it takes twice as long.
        self.assertEqual(await polling.addTimeout(10, reactor), {"tasks": []})


class FurtherClients(ServerCase):
    async def test_may_do_what_their_file_says(self) -> None:
        path = self.file(f"- {{clientId: static/me, accessToken: {TOKEN}, scopes: ['queue:status:*']}}")
        running = self.start(static_clients=path)
        given = {"rootUrl": await running.root_url(), "credentials": {"clientId": "static/me", "accessToken": TOKEN}}
        scopes = await deferToThread(taskcluster.Auth(given).currentScopes)
        self.assertIn("queue:status:*", scopes["scopes"])
        self.assertNotIn("*", scopes["scopes"])


class TheToken(ServerCase):
    async def test_is_the_one_that_was_given(self) -> None:
        running = self.start(TOKEN)
        await running.root_url()
        self.assertEqual(running.token, TOKEN)

    async def test_is_the_same_after_a_restart(self) -> None:
        tokens, folder = set(), self.mktemp()
        for _ in range(2):
            running = self.start(data=folder)
            await running.root_url()
            tokens.add(running.token)
            await running.end()
        self.assertEqual(len(tokens), 1)

    async def test_of_its_own_is_not_good_enough_for_where_others_come(self) -> None:
        for data in (None, self.mktemp()):
            self.assertIn("--access-token-file", await self.refused(host="0.0.0.0", data=data))

    async def test_of_another_server_is_not_good_enough_there_either(self) -> None:
        running = self.start(data=(folder := self.mktemp()))
        await running.root_url()
        self.assertIn("others can reach", await self.refused(running.token, host="0.0.0.0"))
        kept = os.path.join(folder, "access-token")
        self.assertIn("others can reach", await self.refused(access_token_file=kept, host="0.0.0.0"))
        self.assertIn("others can reach", await self.refused(running.token, root_url="https://tc.example.com"))

    async def test_of_somebodys_choice_is(self) -> None:
        running = self.start(TOKEN, host="0.0.0.0")
        self.assertNotIn("0.0.0.0", await running.root_url())

    async def test_in_a_file_for_all_to_read_brings_a_warning(self) -> None:
        path = self.file(TOKEN, 0o644)
        with redirect_stderr(io.StringIO()) as err:
            await self.start(access_token_file=path).root_url()
        self.assertIn(f"warning: {path}", err.getvalue())


class WhatCannotBe(ServerCase):
    async def test_a_port_that_is_taken(self) -> None:
        port = int((await self.start().root_url()).rpartition(":")[2])
        said = await self.refused(port=port)
        self.assertIn(f"127.0.0.1, port {port}", said)
        self.assertIn("--port", said)

    async def test_an_address_of_another_machine(self) -> None:
        self.assertIn("192.0.2.1", await self.refused(TOKEN, host="192.0.2.1"))

    async def test_a_client_id_that_is_none(self) -> None:
        self.assertIn("--client-id", await self.refused(client_id="not one"))

    async def test_settings_of_the_worker_that_cannot_be_used(self) -> None:
        said = await self.refused(worker=True, worker_config=self.file("capacity: many"))
        self.assertIn("capacity", said)

    async def test_a_worker_that_cannot_start(self) -> None:
        said = await self.refused(worker=True, worker_config=self.file("taskUser: no-such-user"))
        self.assertIn("no-such-user", said)

    async def test_clients_that_are_none(self) -> None:
        path = self.file("- {clientId: static/me, accessToken: very-secret}")
        with redirect_stderr(io.StringIO()) as err:
            self.assertEqual(await self.start(static_clients=path).ended, 64)
        self.assertIn("static/me", err.getvalue())
        self.assertNotIn("very-secret", err.getvalue())

    async def test_a_broker_that_cannot_be(self) -> None:
        said = await self.refused(pulse="http://guest:very-secret@localhost")
        self.assertNotIn("very-secret", said)


class TheFolder(ServerCase):
    def folder(self) -> str:
        folder: str = os.path.abspath(self.mktemp())
        os.mkdir(folder)
        return folder

    async def used(self) -> str:
        """Give the folder of a server that has ended."""
        folder = self.folder()
        running = self.start(data=folder)
        await running.root_url()
        await running.end()
        return folder

    async def test_is_for_one_server_at_a_time(self) -> None:
        folder = self.folder()
        await self.start(data=folder).root_url()
        said = await self.refused(data=folder)
        self.assertIn(folder, said)
        self.assertIn(f"process {os.getpid()}", said)

    async def test_of_another_server_is_not_touched(self) -> None:
        folder = self.folder()
        await self.start(data=folder).root_url()
        os.unlink(os.path.join(folder, "access-token"))
        open(os.path.join(folder, "uploads", "one"), "w").close()  # noqa: ASYNC230  # nobody waits
        await self.refused(data=folder)
        self.assertNotIn("access-token", os.listdir(folder))
        self.assertEqual(os.listdir(os.path.join(folder, "uploads")), ["one"])

    async def test_that_is_none_is_refused(self) -> None:
        path = self.file("")
        self.assertIn(f"{path} is no folder", await self.refused(data=path))

    async def test_that_cannot_be_made_is_refused(self) -> None:
        self.assertIn("/proc/none", await self.refused(data="/proc/none"))

    async def test_with_a_damaged_database_is_refused_and_not_touched(self) -> None:
        folder = await self.used()
        path = os.path.join(folder, "taskcluster.db")
        for rubbish in (b"no database at all, or no more", os.urandom(4096)):
            spoil(path, rubbish)
            before = contents(folder)
            said = await self.refused(data=folder)
            self.assertIn(path, said)
            self.assertEqual(contents(folder), before)

    async def test_with_a_database_that_is_none_is_not_filled(self) -> None:
        folder = self.folder()
        os.rename(self.file("no database"), os.path.join(folder, "taskcluster.db"))
        await self.refused(data=folder)
        self.assertEqual(set(os.listdir(folder)), {"lock", "taskcluster.db"})

    async def test_with_a_database_of_another_version_is_refused_and_not_touched(self) -> None:
        folder = await self.used()
        path = os.path.join(folder, "taskcluster.db")
        with closing(sqlite3.connect(path)) as database:
            database.execute("PRAGMA journal_mode = DELETE")
            database.execute("PRAGMA user_version = 1000")
        before = contents(folder)
        said = await self.refused(data=folder)
        self.assertIn(path, said)
        self.assertIn("1000", said)
        self.assertEqual(contents(folder), before)


def absolute(path: str) -> str:
    return os.path.abspath(path)


def spoil(path: str, rubbish: bytes) -> None:
    """Write over the beginning of a file."""
    with open(path, "r+b") as file:
        file.write(rubbish)


def contents(folder: str) -> dict[str, bytes]:
    """Read the database and whatever SQLite puts beside it."""
    found = {}
    for name in os.listdir(folder):
        if name.startswith("taskcluster.db"):
            with open(os.path.join(folder, name), "rb") as file:
                found[name] = file.read()
    return found
