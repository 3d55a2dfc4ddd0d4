"""Files of static clients."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tcworker.embedded.auth.clients import StaticClient
from tcworker.embedded.auth.static_file import BadStaticClients, read_static_clients

TOKEN = "AbCdEfGhIjKlMnOpQrStUv"
GOOD: dict[str, Any] = {"clientId": "static/me", "accessToken": TOKEN, "scopes": ["a", "b:*"]}


class StaticFiles(SynchronousTestCase):
    def setUp(self) -> None:
        self.path = self.mktemp()

    def refused(self, text: str) -> str:
        Path(self.path).write_text(text)
        said = str(self.assertRaises(BadStaticClients, read_static_clients, self.path))
        self.assertIn(self.path, said)
        self.assertNotIn(TOKEN, said)
        return said

    def test_clients_are_read_of_yaml_and_of_json(self) -> None:
        yaml = f"- clientId: static/me\n  accessToken: {TOKEN}\n  scopes: [a, 'b:*']\n"
        for text in (yaml, json.dumps([GOOD])):
            Path(self.path).write_text(text)
            self.assertEqual(read_static_clients(self.path), [StaticClient("static/me", TOKEN, ["a", "b:*"], "")])

    def test_a_description_is_kept(self) -> None:
        Path(self.path).write_text(json.dumps([{**GOOD, "description": "mine"}]))
        self.assertEqual(read_static_clients(self.path)[0].description, "mine")

    def test_the_token_is_not_shown(self) -> None:
        self.assertNotIn(TOKEN, repr(StaticClient("static/me", TOKEN)))

    def test_every_fault_is_told_with_its_place(self) -> None:
        said = self.refused(json.dumps([{**GOOD, "clientId": 3, "scopes": "a"}, 5, {**GOOD, "acessToken": TOKEN}]))
        for part in (
            "client 1 of the list: it has no clientId",
            "client 1 of the list: its scopes must be",
            "client 2",
        ):
            self.assertIn(part, said)
        self.assertIn("static/me: it has unknown keys: acessToken", said)

    def test_clients_that_cannot_be(self) -> None:
        cases: list[tuple[dict[str, Any], str]] = [
            ({"clientId": "me"}, "begin with static/"),
            ({"clientId": "static/taskcluster/queue"}, "server's own"),
            ({"clientId": "static/m e"}, "must match"),
            ({"accessToken": "short"}, "22 to 66"),
            ({"accessToken": 1234567890123456789012}, "in quotes"),
            ({"accessToken": TOKEN + "\n"}, "22 to 66"),
            ({"scopes": [1]}, "list of texts"),
            ({"scopes": ["ü"]}, "printable ASCII"),
            ({"scopes": ["a**"]}, "must not end with **"),
            ({"description": ["x"]}, "description"),
            ({TOKEN: "accessToken"}, "unknown keys: a very long name"),
        ]
        for change, expected in cases:
            self.assertIn(expected, self.refused(json.dumps([{**GOOD, **change}])), change)
        for missing in ("clientId", "accessToken", "scopes"):
            self.refused(json.dumps([{key: value for key, value in GOOD.items() if key != missing}]))

    def test_the_same_client_twice(self) -> None:
        self.assertIn("static/me is there 2 times", self.refused(json.dumps([GOOD, GOOD])))

    def test_files_that_hold_no_list(self) -> None:
        for text in ("", "a: b", "3", json.dumps(GOOD)):
            self.assertIn("must hold a list", self.refused(text))

    def test_a_file_that_is_no_yaml_shows_no_line_of_it(self) -> None:
        said = self.refused(f"- clientId: static/me\n  accessToken: '{TOKEN}\n")
        self.assertIn("no YAML", said)
        self.assertIn("line", said)
        Path(self.path).write_bytes(b"\xff\xfe\xff")
        self.assertRaises(BadStaticClients, read_static_clients, self.path)

    def test_a_file_that_is_not_there(self) -> None:
        said = str(self.assertRaises(BadStaticClients, read_static_clients, "/nonexistent/clients.yml"))
        self.assertIn("/nonexistent/clients.yml cannot be read: No such file", said)
