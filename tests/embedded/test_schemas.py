"""Checking bodies by their schemas."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tcworker.embedded.faults import ApiError
from tcworker.embedded.schemas import DATE, Checker, Variants, closed


class Schemas(SynchronousTestCase):
    def test_defaults_are_filled_in_also_further_down(self) -> None:
        inner = closed({"b": {"default": []}})
        filled = Checker(closed({"a": inner, "c": {"default": 3}})).check({"a": {}})
        self.assertEqual(filled, {"a": {"b": []}, "c": 3})

    def test_a_default_is_nobodys_own(self) -> None:
        checker = Checker(closed({"a": {"default": []}}))
        checker.check({})["a"].append(1)
        self.assertEqual(checker.check({}), {"a": []})

    def test_every_fault_is_listed_with_its_place(self) -> None:
        schema = closed({"a": {"type": "array", "items": {"type": "integer"}}, "d": DATE}, required=["x"])
        error = self.assertRaises(ApiError, Checker(schema).check, {"a": [1, "b"], "d": "2027-01-15"})
        for place in ("data.a[1]: ", "data.d: ", "data: 'x' is a required"):
            self.assertIn(place, error.message)

    def test_a_newline_at_the_end_fits_no_pattern(self) -> None:
        checker = Checker({"type": "string", "pattern": "^a*$"})
        self.assertEqual(checker.check("aa"), "aa")
        self.assertRaises(ApiError, checker.check, "aa\n")

    def test_what_is_secret_is_not_repeated(self) -> None:
        checker = Checker(closed({"a": {"type": "string", "pattern": "^b$"}}), secret=True)
        error = self.assertRaises(ApiError, checker.check, {"a": "hush", "hush": 1})
        self.assertIn("data.a does not fit the schema's pattern", error.message)
        self.assertNotIn("hush", error.message)

    def test_variants_are_told_apart_by_one_property(self) -> None:
        variants = Variants("kind", {"a": closed({"kind": {}, "x": {"default": 1}}), "b": closed({"kind": {}})})
        self.assertEqual(variants.check({"kind": "a"}), {"kind": "a", "x": 1})
        for body in ({"kind": "b", "x": 1}, {"kind": "c"}, {"kind": []}, {}, []):
            self.assertRaises(ApiError, variants.check, body)
