"""Roles and the scopes they bring."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tcworker.embedded.auth.roles import Roles, minimal
from tests.embedded.wire import WireTestCase


class Expansion(SynchronousTestCase):
    def expand(self, *scopes: str) -> set[str]:
        roles = {
            "anonymous": ["open"],
            "outer": ["assume:inner", "o"],
            "inner": ["i", "assume:outer"],
            "worker:*": ["claim:<..>", "all"],
        }
        return set(Roles(roles).expand(scopes)) - set(scopes)

    def test_a_role_brings_its_scopes_and_those_of_its_roles(self) -> None:
        self.assertEqual(self.expand("assume:outer"), {"assume:inner", "o", "i"})

    def test_a_role_for_many_takes_up_the_rest_of_the_name(self) -> None:
        self.assertEqual(self.expand("assume:worker:a/b"), {"claim:a/b", "all"})

    def test_a_pattern_assumes_all_that_fit(self) -> None:
        self.assertEqual(self.expand("assume:worker:*"), {"claim:*", "all"})
        self.assertIn("o", self.expand("assume:*"))
        self.assertIn("o", self.expand("*"))

    def test_what_assumes_nothing_stays_as_it_is(self) -> None:
        self.assertEqual(self.expand("queue:a", "assumed", "assume:nobody", "q*"), set())


class Minimal(SynchronousTestCase):
    def test_what_another_includes_is_left_out(self) -> None:
        self.assertEqual(minimal(["a:b", "a:*", "a*", "b", "b", "b:c"]), ["a*", "b", "b:c"])


class Calls(WireTestCase):
    def test_scopes_are_expanded(self) -> None:
        answer = self.call("POST", "/api/auth/v1/scopes/expand", {"scopes": ["mine", "assume:anonymous"]})
        self.assertIn("mine", answer.json["scopes"])
        self.assertIn("queue:status:*", answer.json["scopes"])

    def test_what_is_no_scope(self) -> None:
        self.assertEqual(self.call("POST", "/api/auth/v1/scopes/expand", {"scopes": ["ü"]}).status, 400)
