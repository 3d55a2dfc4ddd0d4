"""What the check of a body costs, and what it finds nevertheless."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tcworker.embedded.auth.scope_calls import SIGNED
from tcworker.embedded.faults import ApiError
from tcworker.embedded.schemas import Checker, Schema, closed


def of_list(**more: Any) -> Schema:
    return closed({"list": {"type": "array", **more}})


NAMES: Schema = {"type": "string", "pattern": "^[a-z]*$", "minLength": 1, "maxLength": 3}


class KeywordsTestCase(SynchronousTestCase):
    def faults(self, schema: Schema, body: Any) -> list[str]:
        try:
            Checker(schema).check(body)
        except ApiError as error:
            return [line.removeprefix("  * ") for line in error.message.splitlines()[1:]]
        return []

    def list_faults(self, given: Any, **schema: Any) -> list[str]:
        return self.faults(of_list(**schema), {"list": given})


class Items(KeywordsTestCase):
    def test_each_is_looked_at(self) -> None:
        self.assertEqual(self.list_faults(["a", "abc"], items=NAMES), [])
        for wrong, fault in (
            ("", "non-empty"),
            ("abcd", "too long"),
            ("A", "does not match"),
            (1, "type"),
            ("a\n", "does"),
        ):
            [found] = [*self.list_faults(["a", wrong], items=NAMES)]
            self.assertTrue(found.startswith("data.list[1]: "), found)
            self.assertIn(fault, found)

    def test_those_that_are_no_texts(self) -> None:
        [found] = self.list_faults([1, -1], items={"type": "integer", "minimum": 0})
        self.assertIn("data.list[1]", found)

    def test_those_of_a_list_that_is_too_long_are_not(self) -> None:
        found = self.list_faults([1] * 4, items=NAMES, maxItems=3, uniqueItems=True)
        self.assertEqual(found, ["data.list: has 4 items, and may have 3"])

    def test_millions_of_good_ones_take_no_more_than_one_look(self) -> None:
        class Counted(str):
            looks = 0

            def __len__(self) -> int:
                Counted.looks += 1
                return super().__len__()

        self.assertEqual(self.list_faults([Counted("a")] * 1000, items=NAMES), [])
        self.assertLessEqual(Counted.looks, 2000)


class Unique(KeywordsTestCase):
    def test_the_same_twice(self) -> None:
        for items in (["a", "b", "a"], [{"a": 1, "b": [2]}, {"b": [2], "a": 1}], [1, "x", 1], [None, None]):
            self.assertEqual(self.list_faults(items, uniqueItems=True), ["data.list: has non-unique elements"], items)

    def test_what_only_python_takes_for_the_same(self) -> None:
        self.assertEqual(self.list_faults([1, True, "1", [1], {"1": 1}, 0, False, None], uniqueItems=True), [])

    def test_each_item_is_looked_at_once(self) -> None:
        looked = []

        class Watched(dict[str, Any]):
            def __iter__(self) -> Iterator[str]:
                looked.append(id(self))
                return super().__iter__()

            def __eq__(self, other: object) -> bool:
                raise AssertionError("compared with each other, it would take forever")

            __hash__ = None  # type: ignore[assignment]  # as of any dict

        # Of mixed kinds: what cannot be sorted is compared one by one elsewhere.
        self.assertEqual(self.list_faults([1, *(Watched(a=n) for n in range(300)), "x"], uniqueItems=True), [])

    def test_where_they_need_not_be(self) -> None:
        self.assertEqual(self.list_faults([1, 1], uniqueItems=False), [])


TAGS: Schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "additionalProperties": NAMES}


class Additional(KeywordsTestCase):
    def test_each_is_looked_at(self) -> None:
        self.assertEqual(self.faults(TAGS, {"n": 1, "a": "b"}), [])
        [found] = self.faults(TAGS, {"n": 1, "a": "b", "c": 1})
        self.assertTrue(found.startswith("data.c: "), found)

    def test_none_may_be(self) -> None:
        [found] = self.faults(closed({}), {"a": 1})
        self.assertIn("'a' was unexpected", found)


class Hosts(KeywordsTestCase):
    def host(self, name: str) -> bool:
        return not self.faults(SIGNED, {"method": "get", "resource": "/", "port": 80, "host": name})

    def test_names(self) -> None:
        for name in ("a", "localhost", "taskcluster.test", "a-b.c--d.", "127.0.0.1", "A1"):
            self.assertTrue(self.host(name), name)
        for name in ("", ".", "-a", "a-", "a..b", "a-.b", "a.-b", "a_b", "a b", "é", "a." * 127, "a" + "-" * 62 + "b"):
            self.assertFalse(self.host(name), name)
