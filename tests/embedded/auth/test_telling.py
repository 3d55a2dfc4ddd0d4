"""What others are told of changes of clients and roles."""

from __future__ import annotations

from tcworker.embedded.outbox import Message
from tests.embedded.auth.case import AuthTestCase


class Telling(AuthTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.told: list[Message] = []
        self.addCleanup(self.taskcluster.outbox.listen(self.told.append))

    def exchanges(self) -> list[str]:
        told, self.told[:] = list(self.told), []
        return [message.exchange for message in told]

    def test_of_clients(self) -> None:
        self.client()
        self.assertEqual(
            [(message.exchange_name, message.routing_key, message.payload) for message in self.told],
            [("exchange/taskcluster-auth/v1/client-created", "", {"version": 1, "clientId": "me"})],
        )
        self.told.clear()
        self.ask("auth", "POST", "/clients/me", {"expires": self.date(hours=1), "description": ""})
        for verb in ("reset", "disable", "enable"):
            self.ask("auth", "POST", f"/clients/me/{verb}")
        self.assertEqual(self.exchanges(), ["client-updated"] * 4)
        self.ask("auth", "DELETE", "/clients/me")
        self.assertEqual(self.exchanges(), ["client-deleted"])

    def test_of_roles(self) -> None:
        self.role("r", "a")
        self.assertEqual(
            [(message.exchange_name, message.routing_key, message.payload) for message in self.told],
            [("exchange/taskcluster-auth/v1/role-created", "", {"version": 1, "roleId": "r"})],
        )
        self.told.clear()
        self.ask("auth", "POST", "/roles/r", {"scopes": ["b"], "description": ""})
        self.ask("auth", "DELETE", "/roles/r")
        self.assertEqual(self.exchanges(), ["role-updated", "role-deleted"])

    def test_nothing_of_what_did_not_change(self) -> None:
        self.role("r", "a")
        self.client()
        self.exchanges()
        self.role("r", "a")
        self.refused("auth", 409, "RequestConflict", "PUT", "/roles/r", {"scopes": ["b"], "description": "d"})
        self.refused("auth", 400, "InputError", "POST", "/roles/r", {"scopes": ["assume:r"], "description": "d"})
        self.refused("auth", 409, "RequestConflict", "PUT", "/clients/me", {"expires": self.date(), "description": "d"})
        self.refused("auth", 404, "ResourceNotFound", "POST", "/clients/you/reset")
        self.assertEqual(self.exchanges(), [])
