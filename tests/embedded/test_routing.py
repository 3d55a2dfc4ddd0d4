"""Which route a path is for, and what scopes it needs."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tcworker.embedded.calls import Call
from tcworker.embedded.routing import Route, RouteTable, fill_in


async def nothing(call: Call) -> None:
    """Answer nothing."""


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
