"""The small parts of the HTTP layer and the database, each by itself."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tcworker.embedded import dates
from tcworker.embedded.calls import Call
from tcworker.embedded.faults import ApiError
from tcworker.embedded.paging import one_page, page_of, token_of
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

    def test_as_people_write_them(self) -> None:
        for text in ("2027-01-15", "Jan 15, 2027", "1/15/2027 00:00:00 -0000", "Fri, 15 Jan 2027 01:00:00 +0100"):
            self.assertEqual(dates.write(dates.read_leniently(text)), "2027-01-15T00:00:00.000Z", text)

    def test_what_is_none(self) -> None:
        for text in ("", "soon", "2027-13-45", "99999-01-01", "9" * 400):
            self.assertRaises(ValueError, dates.read_leniently, text)


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

    def test_what_stands_after_a_parameter_must_be_there(self) -> None:
        table = RouteTable([Route("with", "GET", "/a/<x>:/b", nothing), Route("without", "GET", "/a/<x>/b", nothing)])
        for path, name, value in (("a/1:/b", "with", "1"), ("a/1/b", "without", "1"), ("a/1%3A/b", "without", "1:")):
            found = table.find("GET", path.split("/"))
            self.assertEqual(found and (found[0].name, found[1]), (name, {"x": value}))

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


class Pages(SynchronousTestCase):
    def test_a_token_leads_on(self) -> None:
        self.assertEqual(page_of({"limit": "3", "continuationToken": token_of("ä/b")}), (3, "ä/b"))

    def test_a_page_says_whether_there_is_more(self) -> None:
        items = [("a", 1), ("b", 2), ("c", 3)]
        page = one_page("things", items, 2)
        self.assertEqual(page["things"], [1, 2])
        self.assertEqual(page_of({"continuationToken": page["continuationToken"]})[1], "b")
        self.assertEqual(one_page("things", items, 3), {"things": [1, 2, 3]})
        self.assertEqual(one_page("things", [], 3), {"things": []})

    def test_nonsense_starts_from_the_beginning(self) -> None:
        self.assertEqual(page_of({"limit": "5000", "continuationToken": "ü"}), (1000, ""))
        self.assertEqual(page_of({}), (1000, ""))
