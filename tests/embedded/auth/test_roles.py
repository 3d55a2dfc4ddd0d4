"""Roles and the scopes they bring."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from random import Random

from twisted.trial.unittest import SynchronousTestCase

from tcworker.client.scopes import satisfies
from tcworker.embedded.auth.roles import Role, Roles
from tcworker.embedded.faults import ApiError
from tests.chances import chances


def role(role_id: str, scopes: Sequence[str]) -> Role:
    return Role(role_id, scopes, "", 0, 0)


def roles(scopes: Mapping[str, Sequence[str]]) -> Roles:
    return Roles(role(role_id, some) for role_id, some in scopes.items())


class Expansion(SynchronousTestCase):
    known = roles(
        {
            "outer": ["assume:inner", "o"],
            "inner": ["i"],
            "worker:*": ["claim:<..>", "all"],
            "worker:a/*": ["in:<..>:a"],
            "hook:*": ["assume:worker:<..>"],
            "plain": ["x:<..>"],
        }
    )

    def expand(self, *scopes: str) -> set[str]:
        return set(self.known.expand(scopes)) - set(scopes)

    def test_a_role_brings_its_scopes_and_those_of_its_roles(self) -> None:
        self.assertEqual(self.expand("assume:outer"), {"assume:inner", "o", "i"})

    def test_a_role_for_many_takes_up_the_rest_of_the_name(self) -> None:
        self.assertEqual(self.expand("assume:worker:b"), {"claim:b", "all"})
        self.assertEqual(self.expand("assume:worker:"), {"claim:", "all"})

    def test_every_role_that_fits_counts(self) -> None:
        self.assertEqual(self.expand("assume:worker:a/b"), {"claim:a/b", "in:b:a", "all"})

    def test_what_a_role_takes_up_may_be_a_role(self) -> None:
        self.assertEqual(self.expand("assume:hook:b"), {"assume:worker:b", "claim:b", "all"})

    def test_a_pattern_assumes_all_that_begin_like_it(self) -> None:
        # What comes after an unknown rest is unknown as well.
        self.assertEqual(self.expand("assume:worker:*"), {"claim:*", "in:*", "all"})
        self.assertEqual(self.expand("assume:worker:a*"), {"claim:a*", "in:*", "all"})
        self.assertEqual(self.expand("assume:worker:a/b*"), {"claim:a/b*", "in:b*", "all"})

    def test_a_pattern_of_all_assumes_all(self) -> None:
        everything = {"o", "i", "claim:*", "in:*", "all", "x:<..>"}
        self.assertEqual(self.expand("assume:*"), everything)
        self.assertEqual(self.expand("ass*"), everything)
        self.assertEqual(self.expand("*"), set())
        self.assertTrue(satisfies(self.known.expand(["*"]), {"AllOf": sorted(everything)}))

    def test_the_rest_is_nothing_special_in_other_roles(self) -> None:
        self.assertEqual(self.expand("assume:plain"), {"x:<..>"})

    def test_what_assumes_nothing_stays_as_it_is(self) -> None:
        self.assertEqual(self.expand("queue:a", "assumed", "assume:nobody", "q*", "Assume:plain"), set())

    def test_it_is_the_same_when_it_is_remembered(self) -> None:
        for _ in range(2):
            again = self.known.expand_again(["a", "assume:outer"])
            self.assertEqual(list(again), list(self.known.expand(["a", "assume:outer"])))


def any_scope(chance: Random) -> str:
    name = "".join(chance.choices("ab", k=chance.randrange(4)))
    return chance.choice([f"assume:{name}", f"assume:{name}*", f"assume:{name}<..>", "x<..>b", "a*", "x"])


class Cycles(SynchronousTestCase):
    def refused(self, known: Mapping[str, Sequence[str]], role_id: str) -> str:
        every = roles(known)
        error = self.assertRaises(ApiError, every.check, every.by_id[role_id])
        self.assertEqual(error.code, "InputError")
        return str(error.message)

    def test_roles_in_a_circle_are_refused(self) -> None:
        for known in (
            {"a": ["assume:a"]},
            {"a": ["assume:b"], "b": ["assume:c"], "c": ["assume:a"]},
            {"a": ["assume:b*"], "bc": ["assume:a"]},
            {"a": ["assume:bc"], "b*": ["assume:a"]},
            {"a": ["*"]},
            {"a": ["ass*"]},
            {"a*": ["assume:ab<..>"]},
            {"a*": ["assume:<..>"]},
            {"a": ["assume:x1"], "x*": ["assume:y<..>"], "y2": ["assume:a"]},
        ):
            self.refused(known, "a" if "a" in known else "a*")

    def test_the_circle_is_named(self) -> None:
        message = self.refused({"top": ["assume:a"], "a": ["assume:b"], "b": ["assume:a"]}, "top")
        self.assertIn("assume:a -> assume:b -> assume:a", message)

    def test_roles_that_double_what_they_get(self) -> None:
        doubling = {f"r{n}:*": [f"assume:r{n + 1}:<..>0", f"assume:r{n + 1}:<..>1"] for n in range(60)}
        self.assertIn("too many scopes", self.refused(doubling, "r0:*"))
        known = roles(doubling)
        for expand in (known.expand, known.expand_again):
            self.assertRaises(ApiError, expand, ["x", "assume:r40:any"])
        known.check(known.by_id["r50:*"])
        self.assertEqual(len(list(known.expand(["assume:r50:any"]))), 2**11 - 1)

    def test_roles_that_lengthen_what_they_get(self) -> None:
        long = {f"r{n}:*": [f"assume:r{n + 1}:<..>{'x' * 100_000}", f"s:<..>{n}"] for n in range(60)}
        self.assertIn("too many scopes", self.refused(long, "r0:*"))

    def test_roles_that_only_share_others_are_fine(self) -> None:
        known = roles(
            {"a": ["assume:b", "assume:c"], "b": ["assume:d"], "c": ["assume:d"], "d": ["d"], "e*": ["x<..>"]}
        )
        for one in known.by_id.values():
            known.check(one)

    def test_a_chain_may_be_long(self) -> None:
        chain = {f"r{n}": [f"assume:r{n + 1}"] for n in range(3000)}
        known = roles({**chain, "r3000": ["end"]})
        known.check(known.by_id["r0"])
        self.assertIn("end", set(known.expand(["assume:r0"])))
        self.assertIn("circle", self.refused({**chain, "r3000": ["assume:r0"]}, "r3000"))

    def test_a_rest_that_could_mean_two_things_is_refused(self) -> None:
        self.assertIn("more than once", self.refused({"a*": ["x:<..>:<..>"]}, "a*"))
        self.assertIn("two things", self.refused({"a*": ["x:*<..>"]}, "a*"))
        roles({"a": ["x:*<..>"]}).check(role("a", ["x:*<..>"]))

    def test_what_is_not_refused_expands_to_an_end(self) -> None:
        for seed, chance in enumerate(chances(100, 10_000)):
            taken: dict[str, Role] = {}
            for _ in range(5):
                one = role(any_scope(chance)[len("assume:") :] or "r", [any_scope(chance) for _ in range(3)])
                with contextlib.suppress(ApiError):
                    Roles([*taken.values(), one]).check(one)
                    taken[one.role_id] = one
            known = Roles(taken.values())
            expanded = known.expand([any_scope(chance), any_scope(chance)])
            # A second time brings nothing more.
            self.assertEqual(list(known.expand(expanded)), list(expanded), seed)
