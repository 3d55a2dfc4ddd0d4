"""Roles: made, changed, listed and taken away."""

from __future__ import annotations

from typing import Any

from tests.embedded.auth.case import AuthTestCase


def body(*scopes: str, **more: Any) -> dict[str, Any]:
    return {"scopes": scopes, "description": "d", **more}


class Roles(AuthTestCase):
    def test_a_role_is_answered_with_all_there_is_to_know(self) -> None:
        self.role("inner", "i")
        made = self.role("outer", "z", "x", "x*", "assume:inner")
        now = "2027-01-15T08:00:00.000Z"
        self.assertEqual(
            made,
            {
                "roleId": "outer",
                "scopes": ["assume:inner", "x*", "x", "z"],
                "expandedScopes": ["assume:inner", "assume:outer", "i", "x*", "z"],
                "description": "d",
                "created": now,
                "lastModified": now,
            },
        )
        self.assertEqual(self.ask("auth", "GET", "/roles/outer"), made)

    def test_it_may_be_made_again_if_it_is_the_same(self) -> None:
        first = self.role("r", "a", "b")
        self.reactor.advance(1)
        self.assertEqual(self.role("r", "b", "a"), first)
        for other in (body("a"), body("a", "b", description="other")):
            self.refused("auth", 409, "RequestConflict", "PUT", "/roles/r", other)

    def test_its_name_is_any_printable_text(self) -> None:
        self.assertEqual(self.role("hook:a%2Fb%20c*", "x:<..>")["roleId"], "hook:a/b c*")
        self.assertIn("x:1", self.ask("auth", "POST", "/scopes/expand", {"scopes": ["assume:hook:a/b c1"]})["scopes"])
        self.refused("auth", 400, "InvalidRequestArguments", "PUT", "/roles/%C3%BC", body())

    def test_bodies_that_are_refused(self) -> None:
        wrongs: list[Any] = [{"scopes": []}, {"description": "d"}, body("ü"), body("a", "a"), body(x=1), []]
        for wrong in wrongs:
            self.refused("auth", 400, "InputValidationError", "PUT", "/roles/r", wrong)
        self.refused("auth", 400, "InputError", "PUT", "/roles/r", body("a**"))

    def test_a_circle_is_refused_and_changes_nothing(self) -> None:
        self.role("a", "assume:b")
        self.assertIn("in a circle", self.refused("auth", 400, "InputError", "PUT", "/roles/b", body("assume:a")))
        self.refused("auth", 404, "ResourceNotFound", "GET", "/roles/b")
        self.role("b")
        self.refused("auth", 400, "InputError", "POST", "/roles/b", body("assume:a"))
        self.assertEqual(self.ask("auth", "GET", "/roles/b")["scopes"], [])
        self.refused("auth", 400, "InputError", "PUT", "/roles/c*", body("x<..><..>"))

    def test_what_it_brings_changes_at_once(self) -> None:
        self.role("r", "old")
        me = self.client("assume:r")
        issued = self.temporary("assume:r", name="t")
        for credentials in (me, issued):
            self.assertIn("old", self.accepted(credentials))
        self.reactor.advance(1)
        changed = self.ask("auth", "POST", "/roles/r", body("new", "assume:more", description="other"))
        self.assertEqual((changed["scopes"], changed["description"]), (["new", "assume:more"], "other"))
        self.assertLess(changed["created"], changed["lastModified"])
        self.role("more", "yet:more")
        for credentials in (me, issued):
            scopes = self.accepted(credentials)
            self.assertNotIn("old", scopes)
            self.assertLessEqual({"new", "yet:more"}, set(scopes))
        self.ask("auth", "DELETE", "/roles/r")
        for credentials in (me, issued):
            self.assertNotIn("new", self.accepted(credentials))

    def test_a_role_takes_away_what_was_issued_by_it(self) -> None:
        self.role("r", "mine")
        me = self.client("assume:r", "auth:create-client:t")
        issued = self.temporary("mine", name="t", issuer=me)
        self.accepted(issued)
        self.ask("auth", "DELETE", "/roles/r")
        self.refused_with(issued, "more than its issuer has")

    def test_nobody_gives_away_what_they_have_not(self) -> None:
        may = self.client("auth:create-role:mine", "auth:update-role:mine", "a")
        self.refused("auth", 403, "InsufficientScopes", "PUT", "/roles/mine", body("a", "b"), may)
        self.refused("auth", 403, "InsufficientScopes", "PUT", "/roles/other", body(), may)
        self.ask("auth", "PUT", "/roles/mine", body("a"), may)
        self.refused("auth", 403, "InsufficientScopes", "POST", "/roles/mine", body("a", "b"), may)

    def test_what_a_role_brings_already_is_not_added(self) -> None:
        may = self.client("auth:update-role:mine")
        self.role("inner", "i:*")
        self.role("mine", "assume:inner", "a:*")
        self.ask("auth", "POST", "/roles/mine", body("i:1", "a:1"), may)
        self.refused("auth", 403, "InsufficientScopes", "POST", "/roles/mine", body("i:2", "a:1"), may)

    def test_what_does_not_exist(self) -> None:
        self.refused("auth", 404, "ResourceNotFound", "GET", "/roles/r")
        self.refused("auth", 404, "ResourceNotFound", "POST", "/roles/r", body())
        answer = self.call("DELETE", "/api/auth/v1/roles/r")
        self.assertEqual((answer.status, answer.content), (204, b""))

    def test_what_does_not_exist_is_told_to_whom_could_not_change_it(self) -> None:
        self.refused("auth", 404, "ResourceNotFound", "POST", "/roles/r", body(), self.temporary("x"))

    def test_each_call_needs_its_scope(self) -> None:
        self.ask("auth", "POST", "/roles/anonymous", body())
        self.role("r")
        for method, path, scope in (
            ("GET", "/roles/r", "auth:get-role:r"),
            ("GET", "/roles", "auth:list-roles"),
            ("GET", "/roles2", "auth:list-roles"),
            ("GET", "/roleids", "auth:list-roles"),
            ("DELETE", "/roles/r", "auth:delete-role:r"),
        ):
            self.refused("auth", 403, "InsufficientScopes", method, path, None, self.temporary("auth:other"))
            self.ask("auth", method, path, None, self.temporary(scope))


class Listing(AuthTestCase):
    def setUp(self) -> None:
        super().setUp()
        for name in ("c", "a", "b*"):
            self.role(name, f"is:{name}")

    def test_all_are_there(self) -> None:
        every = self.ask("auth", "GET", "/roles/")
        self.assertEqual([role["roleId"] for role in every], ["a", "anonymous", "b*", "c"])
        self.assertEqual(every[0]["expandedScopes"], ["assume:a", "is:a"])
        self.assertEqual(self.ask("auth", "GET", "/roles2/"), {"roles": every})
        self.assertEqual(self.ask("auth", "GET", "/roleids"), {"roleIds": ["a", "anonymous", "b*", "c"]})

    def test_page_by_page(self) -> None:
        page = self.ask("auth", "GET", "/roleids?limit=3")
        self.assertEqual(page["roleIds"], ["a", "anonymous", "b*"])
        rest = self.ask("auth", "GET", f"/roles2?limit=3&continuationToken={page['continuationToken']}")
        self.assertEqual([role["roleId"] for role in rest.pop("roles")], ["c"])
        self.assertEqual(rest, {})

    def test_a_page_as_long_as_the_list_is_the_last(self) -> None:
        self.assertNotIn("continuationToken", self.ask("auth", "GET", "/roleids?limit=4"))

    def test_a_limit_of_nothing_is_none(self) -> None:
        self.assertEqual(len(self.ask("auth", "GET", "/roleids?limit=0")["roleIds"]), 4)

    def test_tokens_that_are_none(self) -> None:
        for token in ("abc", "MXg=", "LTE="):
            self.refused("auth", 400, "InvalidRequestArguments", "GET", f"/roleids?limit=1&continuationToken={token}")


class Anonymous(AuthTestCase):
    def test_everybody_has_it_and_it_can_be_changed(self) -> None:
        self.assertIn("queue:status:*", self.accepted(None))
        self.ask("auth", "POST", "/roles/anonymous", body("auth:current-scopes", "open"))
        self.assertEqual(self.accepted(None), ["assume:anonymous", "auth:current-scopes", "open"])
        self.assertIn("open", self.accepted(self.temporary("x")))

    def test_without_it_nobody_may_do_anything(self) -> None:
        self.ask("auth", "DELETE", "/roles/anonymous")
        self.assertEqual(self.current(None).status, 403)
        self.assertEqual(self.accepted(self.root), ["*"])
