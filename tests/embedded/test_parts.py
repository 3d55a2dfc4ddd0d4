"""The small parts of the HTTP layer and the database, each by itself."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tcworker.embedded import dates
from tcworker.embedded.calls import Call
from tcworker.embedded.faults import ApiError
from tcworker.embedded.paging import page_of, token_of
from tcworker.embedded.routing import Route, RouteTable, fill_in
from tcworker.embedded.schemas import DATE, Checker, Variants, closed


async def nothing(call: Call) -> None:
    """Answer nothing."""


class Dates(SynchronousTestCase):
    def test_of_any_zone_and_precision(self) -> None:
        for text in (
            "2027-01-15T08:00:00Z",
            "2027-01-15T08:00:00.000000+00:00",
            "2027-01-15T09:00:00.000+01:00",
            "2027-01-15t08:00:00.0000z",
        ):
            self.assertEqual(dates.read(text), 1_800_000_000_000, text)

    def test_there_and_back(self) -> None:
        for when in (0, 1, 999, 1_800_000_000_001, 1_800_000_000_123, 1_800_000_000_999):
            self.assertEqual(dates.read(dates.write(when)), when)


class Routing(SynchronousTestCase):
    def setUp(self) -> None:
        paths = ["/task/<taskId>", "/task/<taskId>/artifacts", "/task/<taskId>/artifacts/<*name>", "/ping"]
        self.table = RouteTable(Route(path, "GET", path, nothing) for path in paths)

    def find(self, path: str) -> tuple[str, dict[str, str]] | None:
        found = self.table.find("GET", path.split("/"))
        return found and (found[0].name, found[1])

    def test_parameters_are_decoded_after_the_path_is_split(self) -> None:
        self.assertEqual(self.find("task/a%2Fb"), ("/task/<taskId>", {"taskId": "a/b"}))
        self.assertEqual(
            self.find("task/a/artifacts/b/c%2Fd%20e"),
            ("/task/<taskId>/artifacts/<*name>", {"taskId": "a", "name": "b/c/d e"}),
        )

    def test_a_splat_is_not_empty(self) -> None:
        self.assertEqual(self.find("task/a/artifacts/"), ("/task/<taskId>/artifacts", {"taskId": "a"}))

    def test_nothing_else_fits(self) -> None:
        for path in ("", "task", "task/", "task//artifacts", "Ping", "ping/x", "task/a/b/c"):
            self.assertIsNone(self.find(path), path)
        self.assertIsNone(self.table.find("PUT", ["ping"]))

    def test_a_parameter_that_looks_like_a_place_stays_as_it_is(self) -> None:
        scopes = {"AllOf": ["a:<x>/<y>", {"AnyOf": ["b:<y>"]}]}
        filled = {"AllOf": ["a:<y>/1", {"AnyOf": ["b:1"]}]}
        self.assertEqual(fill_in(scopes, {"x": "<y>", "y": "1"}), filled)


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
        schema = closed({"a": {"type": "array", "items": {"type": "integer"}}, "d": DATE}, "x")
        error = self.assertRaises(ApiError, Checker(schema).check, {"a": [1, "b"], "d": "2027-01-15"})
        for place in ("data.a[1]: ", "data.d: ", "data: 'x' is a required"):
            self.assertIn(place, error.message)

    def test_a_newline_at_the_end_fits_no_pattern(self) -> None:
        checker = Checker({"type": "string", "pattern": "^a*$"})
        self.assertEqual(checker.check("aa"), "aa")
        self.assertRaises(ApiError, checker.check, "aa\n")

    def test_variants_are_told_apart_by_one_property(self) -> None:
        variants = Variants("kind", {"a": closed({"kind": {}, "x": {"default": 1}}), "b": closed({"kind": {}})})
        self.assertEqual(variants.check({"kind": "a"}), {"kind": "a", "x": 1})
        for body in ({"kind": "b", "x": 1}, {"kind": "c"}, {"kind": []}, {}, []):
            self.assertRaises(ApiError, variants.check, body)


class Pages(SynchronousTestCase):
    def test_a_token_leads_on(self) -> None:
        self.assertEqual(page_of({"limit": "3", "continuationToken": token_of("ä/b")}), (3, "ä/b"))

    def test_nonsense_starts_from_the_beginning(self) -> None:
        self.assertEqual(page_of({"limit": "5000", "continuationToken": "ü"}), (1000, ""))
        self.assertEqual(page_of({}), (1000, ""))
