"""What a task's author is told about a payload that does not fit."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tcworker.errors import MalformedPayload
from tcworker.task.keywords import FORMATS
from tcworker.task.payload import MOST_VALUES, PayloadSchema
from tests.hypotheses import given

NATIVE = {
    "properties": {
        "command": {
            "type": "array",
            "minItems": 1,
            "items": {"type": "array", "minItems": 1, "items": {"type": "string"}},
        },
        "features": {"type": "object", "properties": {"interactive": {"type": "boolean"}}},
        "mode": {"enum": ["fast", "slow"]},
        "word": {"type": "string", "pattern": "^[a-z]+$", "maxLength": 5},
        "mount": {
            "oneOf": [
                {
                    "type": "object",
                    "properties": {"file": {"type": "string"}, "content": {"type": "object"}},
                    "required": ["file", "content"],
                    "additionalProperties": False,
                },
                {
                    "type": "object",
                    "properties": {"cacheName": {"type": "string"}, "directory": {"type": "string"}},
                    "required": ["cacheName", "directory"],
                    "additionalProperties": False,
                },
            ]
        },
        "image": {
            "oneOf": [
                {"type": "string"},
                {"type": "object", "properties": {"type": {"const": "a"}, "x": {}}, "required": ["type", "x"]},
                {"type": "object", "properties": {"type": {"const": "b"}, "y": {}}, "required": ["type", "y"]},
            ]
        },
    },
    "required": ["command"],
}
TIME = {
    "properties": {
        "maxRunTime": {"type": "integer", "minimum": 1},
        "expires": {"type": "string", "format": "date-time"},
        "features": {"type": "object", "properties": {"taskclusterProxy": {"type": "boolean"}}},
        "env": {"type": "object", "additionalProperties": {"type": "string"}},
        "retry": {"type": "array", "items": {"type": "integer"}, "uniqueItems": True},
        "address": {"type": "string", "format": "uri"},
        "pair": {
            "type": "object",
            "properties": {"content": {"type": "string"}, "format": {"type": "string"}},
            "dependentRequired": {"format": ["content"], "content": ["format"]},
        },
    },
    "required": ["maxRunTime"],
}
FINE: dict[str, Any] = {"command": [["true"]], "maxRunTime": 60}

LONG_AGO = "0001-01-01T00:00:00+14:00"
"""No date at all in UTC."""

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


class Checking(SynchronousTestCase):
    """Each violation, in words."""

    def setUp(self) -> None:
        self.schema = PayloadSchema({"native": NATIVE, "max-run-time": TIME})

    def faults(self, payload: object) -> list[str]:
        return list(self.assertRaises(MalformedPayload, self.schema.check, payload).messages)

    def fault(self, **changes: Any) -> list[str]:
        return self.faults({**FINE, **changes})

    def test_a_payload_that_fits(self) -> None:
        self.schema.check({**FINE, "features": {"interactive": True, "taskclusterProxy": False}})

    def test_a_wrong_type_deep_inside(self) -> None:
        self.assertEqual(
            self.fault(command=[["echo", 3]]), ["payload.command[0][1]: found 3 (a number), expected a string"]
        )

    def test_true_is_no_number(self) -> None:
        self.assertEqual(
            self.fault(maxRunTime=True), ["payload.maxRunTime: found true (a boolean), expected an integer"]
        )

    def test_all_violations_at_once_in_the_order_of_their_places(self) -> None:
        places = [fault.split(":")[0] for fault in self.faults({"command": [[], [1], ["ok", None]], "maxRunTime": 0})]
        self.assertEqual(
            places,
            ["payload.command[0]", "payload.command[1][0]", "payload.command[2][1]", "payload.maxRunTime"],
        )

    def test_items_of_long_lists_come_in_their_order(self) -> None:
        faults = self.fault(command=[[]] * 11)
        self.assertEqual(faults[2].split(":")[0], "payload.command[2]")
        self.assertEqual(faults[10].split(":")[0], "payload.command[10]")

    def test_what_is_missing(self) -> None:
        self.assertEqual(
            self.faults({}),
            [
                "payload.command: found nothing, expected a list",
                "payload.maxRunTime: found nothing, expected an integer",
            ],
        )

    def test_an_unknown_key_names_the_nearest_known_one(self) -> None:
        self.assertEqual(self.fault(comand=[]), ['payload.comand: found an unknown key, expected perhaps "command"'])

    def test_several_unknown_keys_are_several_faults(self) -> None:
        self.assertEqual(len(self.fault(zzz=1, qqq=2)), 2)

    def test_an_unknown_feature(self) -> None:
        self.assertEqual(
            self.fault(features={"interactiv": True}),
            ['payload.features.interactiv: found an unknown key, expected perhaps "interactive"'],
        )

    def test_too_few_items(self) -> None:
        self.assertEqual(self.fault(command=[]), ["payload.command: found 0 items, expected 1 or more"])

    def test_a_word_that_is_not_among_those_allowed(self) -> None:
        self.assertEqual(self.fault(mode="quick"), ['payload.mode: found "quick", expected one of "fast", "slow"'])

    def test_text_of_another_form(self) -> None:
        self.assertEqual(self.fault(word="A"), ['payload.word: found "A", expected text of the form ^[a-z]+$'])

    def test_text_that_is_too_long(self) -> None:
        self.assertEqual(
            self.fault(word="abcdef"), ['payload.word: found "abcdef" (6 characters), expected 5 at the most']
        )

    def test_an_item_twice(self) -> None:
        self.assertEqual(
            self.fault(retry=[1, 2, 1, 1]),
            [f"payload.retry[{index}]: found 1 again, expected no item twice" for index in (2, 3)],
        )
        self.schema.check({**FINE, "retry": [1, 2, 3]})

    def test_a_newline_at_the_end_is_of_another_form(self) -> None:
        self.assertEqual(len(self.fault(word="abc\n")), 1)

    def test_addresses(self) -> None:
        for address in ("https://example.com/a?b=c#d", "http://[::1]:80/", "urn:isbn:1"):
            self.schema.check({**FINE, "address": address})
        for no_address in ("", "example.com", "/file", "https://exa mple.com", "https://example.com/\n", "https:"):
            self.assertIn("expected an address such as https", self.fault(address=no_address)[0])

    def test_what_is_needed_beside_another_key(self) -> None:
        self.assertEqual(
            self.fault(pair={"format": "zip"}),
            ["payload.pair.content: found nothing, expected a string since there is format"],
        )
        self.schema.check({**FINE, "pair": {}})

    def test_dates(self) -> None:
        for date in ("2030-01-31T12:00:00Z", "2030-01-31T12:00:00.123+01:00", "2030-01-31T12:00:00-05:00"):
            self.schema.check({**FINE, "expires": date})
        for no_date in ("", "tomorrow", "2030-01-31", "2030-01-31T12:00:00", "2030-02-31T12:00:00Z", LONG_AGO):
            self.assertIn("expected a date with time and zone", self.fault(expires=no_date)[0])

    def test_of_several_forms_the_first_key_that_is_there_tells_which_is_meant(self) -> None:
        self.assertEqual(
            self.fault(mount={"cacheName": "x"}), ["payload.mount.directory: found nothing, expected a string"]
        )
        both = {"cacheName": "x", "directory": "y", "content": {}}
        expected = "payload.mount.content: found an unknown key, expected one of cacheName, directory"
        self.assertEqual(self.fault(mount=both), [expected])

    def test_of_several_forms_none(self) -> None:
        self.assertEqual(
            self.fault(mount={"content": {}}),
            ['payload.mount: found {"content": {}}, expected an object with one of the keys file, cacheName'],
        )
        self.assertEqual(self.fault(mount=3), ["payload.mount: found 3 (a number), expected an object"])

    def test_of_forms_that_begin_with_the_same_key_the_nearest_one_is_meant(self) -> None:
        self.assertEqual(self.fault(image={"type": "b"}), ["payload.image.y: found nothing, expected a value"])
        self.assertEqual(self.fault(image=3), ["payload.image: found 3 (a number), expected a string"])

    def test_very_many_faults_are_not_all_told(self) -> None:
        for many in (self.fault(command=[[1] * 500]), self.fault(**{f"zzz{number}": 1 for number in range(500)})):
            self.assertEqual(len(many), 101)
            self.assertEqual(many[-1], "payload: there are more faults than these 100")

    def test_what_is_no_object_at_all(self) -> None:
        self.assertEqual(self.faults(["x"]), ['payload: found ["x"] (a list), expected an object'])

    def test_a_long_value_is_not_shown_whole(self) -> None:
        for value in ("x" * 10_000, ["x"] * 4000, {"x" * 10_000: 1}):
            self.assertLess(len(self.fault(maxRunTime=value)[0]), 200)

    def test_nor_is_a_long_key(self) -> None:
        (unknown,) = self.fault(**{"x" * 10_000: 1})
        self.assertLess(len(unknown), 300)
        (inside,) = self.fault(env={"x" * 10_000: 1})
        self.assertLess(len(inside), 300)

    def test_a_payload_that_would_hold_up_the_worker(self) -> None:
        words = ["x"] * (MOST_VALUES - 3)
        self.schema.check({**FINE, "command": [words]})
        many: list[Any] = [{**FINE, "command": [[*words, "x"]]}, [[]] * MOST_VALUES + [0], {"a": {"b": [0] * 10**6}}]
        for payload in many:
            (fault,) = self.faults(payload)
            self.assertIn(f"expected {MOST_VALUES} at the most", fault)

    def test_one_without_a_bottom(self) -> None:
        deep: list[Any] = []
        for _ in range(2500):
            deep = [deep]
        self.assertEqual(self.fault(maxRunTime=deep), ["payload: found lists and objects too deep in one another"])

    @given(anything)
    def test_whatever_comes_is_judged(self, payload: object) -> None:
        try:
            self.schema.check(payload)
        except MalformedPayload as error:
            self.assertTrue(all(message.startswith("payload") for message in error.messages))


class InNoTime(SynchronousTestCase):
    """What strangers write is checked in a time that grows no faster than it does."""

    def test_items_that_no_two_are_compared_of(self) -> None:
        compared: list[object] = []

        class Item(dict[str, int]):
            def __eq__(self, other: object) -> bool:
                compared.append(other)
                return super().__eq__(other)

            __hash__ = None

        schema = PayloadSchema({"x": {"properties": {"list": {"type": "array", "uniqueItems": True}}}})
        schema.check({"list": [Item(number=number) for number in range(1500)]})
        self.assertEqual(compared, [])

    def test_of_several_forms_only_the_one_that_is_meant_is_looked_at(self) -> None:
        looked: list[object] = []
        FORMATS.checks("looked at")(lambda value: looked.append(value) is None)
        self.addCleanup(FORMATS.checkers.pop, "looked at")
        forms = [{"properties": {"x": {"format": "looked at"}}, "required": [mark]} for mark in "abcde"]
        schema = PayloadSchema({"x": {"properties": {"form": {"oneOf": forms}}}})
        schema.check({"form": {"d": 1, "x": "once"}})
        self.assertEqual(looked, ["once"])


class Joining(SynchronousTestCase):
    """The slices of several owners."""

    def test_two_owners_of_one_key_are_named(self) -> None:
        slices: Any = {"one": {"properties": {"env": {}}}, "two": {"properties": {"env": {}}}}
        error = self.assertRaises(ValueError, PayloadSchema, slices)
        self.assertIn("one", str(error))
        self.assertIn("two", str(error))
        self.assertIn("payload.env", str(error))

    def test_two_owners_of_one_feature_are_named(self) -> None:
        one = {"properties": {"features": {"type": "object", "properties": {"x": {}}}}}
        error = self.assertRaises(ValueError, PayloadSchema, {"one": one, "two": one})
        self.assertIn("payload.features.x", str(error))

    def test_definitions_are_shared_by_all_and_of_one_owner_each(self) -> None:
        one = {"properties": {"x": {"$ref": "#/$defs/word"}}, "$defs": {"word": {"type": "string"}}}
        two = {"properties": {"y": {"$ref": "#/$defs/word"}}}
        schema = PayloadSchema({"one": one, "two": two})
        self.assertRaises(MalformedPayload, schema.check, {"y": 3})
        error = self.assertRaises(ValueError, PayloadSchema, {"one": one, "two": {"$defs": {"word": {}}}})
        self.assertIn("$defs.word is wanted by both one and two", str(error))

    def test_the_whole_schema_is_closed_and_requires_what_each_requires(self) -> None:
        schema = PayloadSchema({"native": NATIVE, "max-run-time": TIME}).schema
        self.assertEqual(schema["required"], ["command", "maxRunTime"])
        self.assertEqual(schema["additionalProperties"], False)
        self.assertEqual(set(schema["properties"]["features"]["properties"]), {"interactive", "taskclusterProxy"})
