"""Switches of the payload."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tcworker.errors import MalformedPayload
from tcworker.task.feature_flag import FeatureFlag, flags_schema
from tcworker.task.payload import PayloadSchema

ON = FeatureFlag("on", True, "On.")
OFF = FeatureFlag("off", False, "Off.")


class Flags(SynchronousTestCase):
    def test_as_their_default_where_the_payload_says_nothing(self) -> None:
        for payload in ({}, {"features": {}}, {"features": {"other": True}}):
            self.assertEqual((ON.is_set(payload), OFF.is_set(payload)), (True, False))

    def test_as_the_payload_says(self) -> None:
        payload = {"features": {"on": False, "off": True}}
        self.assertEqual((ON.is_set(payload), OFF.is_set(payload)), (False, True))

    def test_the_schema_knows_them_and_their_defaults(self) -> None:
        properties = flags_schema(ON, OFF)
        flags = properties["features"]["properties"]
        self.assertEqual({name: flag["default"] for name, flag in flags.items()}, {"on": True, "off": False})
        schema = PayloadSchema({"flags": {"properties": properties, "required": []}})
        schema.check({"features": {"on": False}})
        self.assertRaises(MalformedPayload, schema.check, {"features": {"on": "yes"}})
