"""Who the worker inside is, and with which settings."""

from __future__ import annotations

import os
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tcworker.config import Config, parse
from tcworker.deployment import worker_id
from tcworker.server.options import ServerOptions
from tcworker.server.worker import new_client, settings


class Settings(SynchronousTestCase):
    def parse(self, text: str = "", **options: Any) -> Config:
        path = self.mktemp()
        with open(path, "w") as file:
            file.write(text)
        given = ServerOptions(worker_config=path if text else None, **options)
        self.client = new_client(given.pool)
        return parse(settings(given, "/folder", "http://localhost:1", self.client))

    def test_say_who_the_worker_is(self) -> None:
        config = self.parse(pool="prov/type")
        self.assertEqual(config.task_queue_id, "prov/type")
        self.assertEqual(config.credentials.access_token, self.client.access_token)
        self.assertEqual(config.state_dir, "/folder/state")

    def test_let_tasks_reach_their_folders(self) -> None:
        for euid, expected in ((1000, "/folder/tasks"), (0, "/home")):
            self.patch(os, "geteuid", lambda euid=euid: euid)
            self.assertEqual(self.parse().tasks_dir, expected)
            self.assertEqual(self.parse("{taskUsers: false}").tasks_dir, "/folder/tasks")
            self.assertEqual(self.parse("{taskUsers: true}").tasks_dir, "/home")
            self.assertEqual(self.parse("{taskUser: nobody}").tasks_dir, "/folder/tasks")

    def test_of_somebodys_file_go_over_what_is_usual(self) -> None:
        config = self.parse("{capacity: 3, tasksDir: /elsewhere, requiredDiskSpaceMegabytes: 5}")
        self.assertEqual(config.capacity, 3)
        self.assertEqual((config.tasks_dir, config.required_disk_space_megabytes), ("/elsewhere", 5))

    def test_of_the_command_line_go_over_those_of_the_file(self) -> None:
        self.assertEqual(self.parse("{capacity: 3}", capacity=5).capacity, 5)

    def test_of_a_file_do_not_change_who_the_worker_is(self) -> None:
        config = self.parse("{rootURL: 'https://tc.example.com', clientId: me, accessToken: mine, workerType: other}")
        self.assertEqual((config.root_url, config.worker_type), ("http://localhost:1", "tasks"))
        self.assertEqual(config.credentials.client_id, self.client.client_id)

    def test_pass_on_nothing_of_the_servers_environment(self) -> None:
        self.assertEqual(self.parse().inherit_env, ())


class TheClient(SynchronousTestCase):
    def test_may_claim_tasks_of_its_pool_and_nothing_else(self) -> None:
        self.assertEqual(
            list(new_client("prov/type").scopes),
            ["queue:claim-work:prov/type", f"queue:worker-id:local/{worker_id()}"],
        )

    def test_has_another_token_each_time(self) -> None:
        self.assertNotEqual(new_client("a/b").access_token, new_client("a/b").access_token)
        self.assertNotIn(new_client("a/b").access_token, repr(new_client("a/b")))
