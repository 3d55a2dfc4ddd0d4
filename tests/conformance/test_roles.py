"""auth: roles, and what scopes become by them (contracts of the queue, 3.7)."""

from __future__ import annotations

from typing import Any

from tests.conformance.case import ConformanceTestCase, names, random_name


class RoleTestCase(ConformanceTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.auth = self.root.auth
        self.role_id = f"conformance:{random_name()}"

    def make(self, role_id: str, *scopes: str, **more: Any) -> Any:
        made = self.auth.createRole(role_id, {"description": "Of a conformance suite.", "scopes": list(scopes), **more})
        self.addCleanup(self.auth.deleteRole, role_id)
        return made

    def expand(self, *scopes: str) -> set[str]:
        return set(self.auth.expandScopes({"scopes": list(scopes)})["scopes"])


class Roles(RoleTestCase):
    def test_what_is_known_of_one(self) -> None:
        made = self.make(self.role_id, "conformance:b", "conformance:a")
        self.assertEqual(set(made), {"roleId", "scopes", "expandedScopes", "description", "lastModified", "created"})
        self.assertEqual((made["roleId"], set(made["scopes"])), (self.role_id, {"conformance:a", "conformance:b"}))
        self.assertLessEqual({f"assume:{self.role_id}", "conformance:a"}, set(made["expandedScopes"]))
        self.assertEqual(self.auth.role(self.role_id), made)

    def test_the_same_again(self) -> None:
        made = self.make(self.role_id, "conformance:a", "conformance:b")
        self.assertEqual(self.make(self.role_id, "conformance:b", "conformance:a"), made)
        with self.refused("RequestConflict"):
            self.make(self.role_id, "conformance:c")
        with self.refused("RequestConflict"):
            self.make(self.role_id, "conformance:a", "conformance:b", description="Another.")

    def test_a_change(self) -> None:
        self.make(self.role_id, "conformance:a")
        changed = self.auth.updateRole(self.role_id, {"description": "Changed.", "scopes": ["conformance:b"]})
        self.assertEqual((changed["description"], changed["scopes"]), ("Changed.", ["conformance:b"]))
        self.assertNotIn("conformance:a", self.expand(f"assume:{self.role_id}"))

    def test_deleted(self) -> None:
        self.make(self.role_id, "conformance:a")
        for _ in range(2):
            self.auth.deleteRole(self.role_id)
        with self.refused("ResourceNotFound"):
            self.auth.role(self.role_id)
        with self.refused("ResourceNotFound"):
            self.auth.updateRole(self.role_id, {"description": "", "scopes": []})
        self.assertNotIn("conformance:a", self.expand(f"assume:{self.role_id}"))

    def test_listed(self) -> None:
        made = {self.make(f"{self.role_id}:{letter}")["roleId"] for letter in "cab"}
        self.assertLessEqual(made, set(names(self.auth.listRoles(), "roleId")))
        for call, key in ((self.auth.listRoles2, "roles"), (self.auth.listRoleIds, "roleIds")):
            seen: list[Any] = []
            call(paginationLimit=2, paginationHandler=lambda page, key=key, seen=seen: seen.extend(page[key]))
            ids = seen if key == "roleIds" else names(seen, "roleId")
            self.assertLessEqual(made, set(ids))
            self.assertEqual(len(ids), len(set(ids)))

    def test_names_of_any_letters(self) -> None:
        role_id = f"{self.role_id}/a b%2F*"
        self.make(role_id, "conformance:a")
        self.assertEqual(self.auth.role(role_id)["roleId"], role_id)

    def test_nobody_gives_what_they_do_not_have(self) -> None:
        body = {"description": "", "scopes": ["conformance:a"]}
        create = f"auth:create-role:{self.role_id}"
        for scopes in ([create], ["conformance:a"], [create, "conformance:b"]):
            with self.refused("InsufficientScopes"):
                self.limited(*scopes).auth.createRole(self.role_id, body)
        self.limited(create, "conformance:*").auth.createRole(self.role_id, body)
        self.addCleanup(self.auth.deleteRole, self.role_id)
        update = f"auth:update-role:{self.role_id}"
        self.limited(update).auth.updateRole(self.role_id, body)
        with self.refused("InsufficientScopes"):
            self.limited(update).auth.updateRole(self.role_id, {**body, "scopes": ["conformance:b"]})

    def test_what_must_be_said(self) -> None:
        for body in ({}, {"description": ""}, {"scopes": []}, {"description": "", "scopes": [], "more": 1}):
            with self.refused("InputValidationError"):
                self.auth.createRole(self.role_id, body)
        with self.refused("InputError"):
            self.auth.createRole(self.role_id, {"description": "", "scopes": ["conformance:**"]})


class Expansion(RoleTestCase):
    def test_one_role_leads_to_another(self) -> None:
        first, second = f"{self.role_id}:1", f"{self.role_id}:2"
        self.make(first, "conformance:a", f"assume:{second}")
        self.make(second, "conformance:b")
        wanted = {f"assume:{first}", f"assume:{second}", "conformance:a", "conformance:b"}
        self.assertEqual(self.expand(f"assume:{first}"), wanted)

    def test_a_role_by_the_beginning_of_its_name(self) -> None:
        self.make(f"{self.role_id}:*", "conformance:a")
        self.assertIn("conformance:a", self.expand(f"assume:{self.role_id}:whatever"))
        self.assertIn("conformance:a", self.expand(f"assume:{self.role_id}:"))
        self.assertNotIn("conformance:a", self.expand(f"assume:{self.role_id}"))

    def test_a_scope_with_a_star_assumes_all_it_covers(self) -> None:
        self.make(f"{self.role_id}:one", "conformance:a")
        self.make(f"{self.role_id}:two", "conformance:b")
        self.assertLessEqual({"conformance:a", "conformance:b"}, self.expand(f"assume:{self.role_id}:*"))
        self.assertLessEqual({"conformance:a", "conformance:b"}, self.expand(f"assume:{self.role_id}*"))

    def test_what_the_star_stands_for(self) -> None:
        self.make(f"{self.role_id}:*", "conformance:<..>:x", "conformance:ends:<..>")
        self.assertLessEqual(
            {"conformance:some/thing:x", "conformance:ends:some/thing"},
            self.expand(f"assume:{self.role_id}:some/thing"),
        )
        # A star that is put into the midst of a scope ends it: it stands for all that could follow.
        self.assertLessEqual(
            {"conformance:some*", "conformance:ends:some*"}, self.expand(f"assume:{self.role_id}:some*")
        )

    def test_a_parameter_may_lead_on(self) -> None:
        self.make(f"{self.role_id}:a:*", f"assume:{self.role_id}:b:<..>")
        self.make(f"{self.role_id}:b:*", "conformance:<..>")
        self.assertIn("conformance:x", self.expand(f"assume:{self.role_id}:a:x"))

    def test_what_is_covered_is_left_out(self) -> None:
        self.assertEqual(self.expand("conformance:*", "conformance:a"), {"conformance:*"})

    def test_a_circle(self) -> None:
        self.make(f"{self.role_id}:1", f"assume:{self.role_id}:2")
        for scope in (f"assume:{self.role_id}:1", f"assume:{self.role_id}*"):
            with self.refused("InputError"):
                self.make(f"{self.role_id}:2", scope)
        with self.refused("InputError"):
            self.make(f"{self.role_id}:a:*", f"assume:{self.role_id}:a:<..>x")
        self.make(f"{self.role_id}:2", "conformance:a")

    def test_in_the_scopes_of_a_caller(self) -> None:
        self.make(self.role_id, "auth:current-scopes", "conformance:a")
        services = self.limited(f"assume:{self.role_id}")
        self.assertIn("conformance:a", services.auth.currentScopes()["scopes"])

    def test_everybody_is_anonymous_too(self) -> None:
        self.assertIn("assume:anonymous", self.limited("auth:current-scopes").auth.currentScopes()["scopes"])
