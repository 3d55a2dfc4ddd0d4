from __future__ import annotations

from hypothesis import strategies as st
from taskcluster.utils import scopeMatch
from twisted.trial.unittest import SynchronousTestCase

from tcworker.client.scopes import ScopeSet, missing, satisfies
from tests.hypotheses import given

scopes = st.text("ab:*", max_size=6)


class SatisfiesTests(SynchronousTestCase):
    def test_a_scope_satisfies_itself_and_no_other(self) -> None:
        self.assertTrue(satisfies(["queue:ping"], "queue:ping"))
        self.assertFalse(satisfies(["queue:ping"], "queue:pin"))
        self.assertFalse(satisfies(["queue:ping"], "queue:ping:more"))

    def test_a_pattern_satisfies_what_begins_like_it(self) -> None:
        self.assertTrue(satisfies(["queue:*"], "queue:ping"))
        self.assertTrue(satisfies(["queue:*"], "queue:"))
        self.assertTrue(satisfies(["queue:*"], "queue:a:*"))
        self.assertFalse(satisfies(["queue:*"], "queue"))

    def test_only_a_star_at_the_end_is_a_pattern(self) -> None:
        self.assertFalse(satisfies(["queue:*:ping"], "queue:x:ping"))

    def test_a_star_that_is_asked_for_needs_a_pattern(self) -> None:
        self.assertFalse(satisfies(["queue:ping"], "queue:*"))
        self.assertTrue(satisfies(["*"], "queue:*"))

    def test_nothing_satisfies_nothing_but_an_empty_all_of(self) -> None:
        self.assertFalse(satisfies([], "a"))
        self.assertFalse(satisfies([], {"AnyOf": []}))
        self.assertTrue(satisfies([], {"AllOf": []}))

    def test_expressions_nest(self) -> None:
        expression = {"AllOf": ["a", {"AnyOf": ["b", {"AllOf": ["c", "d"]}]}]}
        self.assertTrue(satisfies(["a", "b"], expression))
        self.assertTrue(satisfies(["a", "c", "d"], expression))
        self.assertFalse(satisfies(["a", "c"], expression))
        self.assertFalse(satisfies(["b"], expression))

    def test_scopes_may_come_one_by_one(self) -> None:
        self.assertTrue(satisfies(iter(["a", "b"]), {"AllOf": ["b", "a"]}))

    def test_what_is_no_expression_is_refused(self) -> None:
        for wrong in ({}, {"OneOf": ["a"]}, {"AllOf": "a"}, {"AllOf": ["a"], "AnyOf": ["b"]}):
            self.assertRaises(ValueError, satisfies, ["a"], wrong)


class MissingTests(SynchronousTestCase):
    def test_names_what_lacks_in_order_and_once(self) -> None:
        self.assertEqual(missing(["b"], {"AllOf": ["c", "b", "a", "c"]}), ["c", "a"])

    def test_an_alternative_that_is_satisfied_is_enough(self) -> None:
        self.assertEqual(missing(["b"], {"AnyOf": ["a", "b"]}), [])

    def test_of_alternatives_all_are_named(self) -> None:
        self.assertEqual(missing(["x"], {"AnyOf": ["a", {"AllOf": ["x", "b"]}]}), ["a", "b"])

    @given(st.lists(scopes, max_size=4), st.lists(scopes, min_size=1, max_size=4))
    def test_nothing_lacks_exactly_when_satisfied(self, have: list[str], want: list[str]) -> None:
        for expression in ({"AllOf": want}, {"AnyOf": want}):
            self.assertEqual(not missing(have, expression), satisfies(have, expression))

    @given(st.lists(scopes, max_size=4), st.lists(scopes, max_size=4))
    def test_what_lacks_is_all_that_is_needed(self, have: list[str], want: list[str]) -> None:
        expression = {"AllOf": want}
        self.assertTrue(satisfies([*have, *missing(have, expression)], expression))


class ScopeSets(SynchronousTestCase):
    @given(st.lists(scopes, max_size=8), scopes)
    def test_they_satisfy_what_one_of_their_scopes_does(self, have: list[str], asked: str) -> None:
        simply = any(scope == asked or (scope[-1:] == "*" and asked.startswith(scope[:-1])) for scope in have)
        self.assertEqual(ScopeSet(have).has(asked), simply)
        self.assertEqual(ScopeSet(have[:3], ScopeSet(have[3:])).has(asked), simply)
        self.assertEqual(scopeMatch(have, [[asked]]), simply)

    @given(st.lists(scopes, max_size=8))
    def test_what_another_scope_includes_is_left_out_and_nothing_else(self, have: list[str]) -> None:
        kept = list(ScopeSet(have[:4], ScopeSet(have[4:])))
        self.assertLessEqual(set(kept), set(have))
        for scope in have:
            self.assertTrue(satisfies(kept, scope))
        for scope in kept:
            self.assertFalse(satisfies([other for other in kept if other != scope], scope))

    def test_a_pattern_comes_before_what_begins_like_it(self) -> None:
        self.assertEqual(list(ScopeSet(["b", "a:b", "a:*", "c!", "a", "c*"])), ["a", "a:*", "b", "c*"])
