"""Whoever makes a server says how long what it gives out is good."""

from __future__ import annotations

from typing import Any

from tcworker.embedded import dates
from tcworker.embedded.times import Times
from tests.embedded.objects.case import ObjectsTestCase
from tests.embedded.wire import START


class GivenTimes(ObjectsTestCase):
    times = Times(object_address=7, tunnel_token=60)

    def lasting(self, answer: Any) -> float:
        return dates.read(answer["expires"]) / 1000 - START

    def test_are_those_of_a_tunnels_tokens(self) -> None:
        self.assertEqual(self.lasting(self.call("GET", "/api/auth/v1/websocktunnel/aud/me").json), 60)

    def test_are_those_of_an_objects_address(self) -> None:
        self.create_upload()
        self.finish_upload()
        self.assertEqual(self.lasting(self.start_download("getUrl").json), 7)
