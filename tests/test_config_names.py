"""Each name of a configuration has its effect here, or, if it is the reference worker's, a reason why it has none."""

from __future__ import annotations

from typing import Any

from twisted.python.reflect import namedAny
from twisted.trial.unittest import SynchronousTestCase

from tcworker.config import Config, Source, parse
from tcworker.config_schema import KEYS
from tcworker.config_without_effect import WITHOUT_EFFECT
from tcworker.errors import ConfigError
from tests.config_names import CONFIGURATION, EFFECTS, GONE, NO_EFFECT, NOT_EMPTY, OWN


def parsed(**changes: Any) -> Config:
    return parse([Source("generic-worker.config", {**CONFIGURATION, **changes})])


class Names(SynchronousTestCase):
    def test_each_has_its_effect_or_a_reason(self) -> None:
        self.assertEqual(NO_EFFECT, WITHOUT_EFFECT.keys())
        inner = ([f"{key}.{name}" for name in schema.get("properties", ())] or [key] for key, schema in KEYS.items())
        self.assertEqual(EFFECTS.keys() | OWN.keys(), {name for names in inner for name in names})

    def test_each_effect_has_its_test(self) -> None:
        for name, test in {**EFFECTS, **OWN}.items():
            self.assertTrue(callable(namedAny(test)), f"{name}: {test}")

    def test_a_reason_goes_on_where_the_log_says_because(self) -> None:
        for name, unused in WITHOUT_EFFECT.items():
            self.assertRegex(unused.reason, r"^[a-z].*[^.]\Z", name)

    def test_the_example_sets_them_all(self) -> None:
        self.assertEqual(CONFIGURATION.keys(), EFFECTS.keys() | NO_EFFECT)


class Values(SynchronousTestCase):
    def fault(self, **changes: Any) -> tuple[str, int]:
        error = self.assertRaises(ConfigError, parsed, **changes)
        return str(error), error.exit_status

    def test_a_configuration_of_the_reference_worker_is_one(self) -> None:
        self.assertEqual(parsed().ignored, tuple(sorted(NO_EFFECT)))

    def test_each_may_be_left_out_but_for_what_says_who_the_worker_is(self) -> None:
        required = {"rootURL", "clientId", "accessToken", "workerType", "workerId"}
        self.assertEqual(parsed(**dict.fromkeys(CONFIGURATION.keys() - required)).ignored, ())

    def test_what_the_reference_worker_could_not_read_is_refused(self) -> None:
        for name in NO_EFFECT:
            text, status = self.fault(**{name: ["a list"]})
            self.assertIn(f'generic-worker.config: {name}: found ["a list"], expected ', text)
            self.assertEqual(status, 73)

    def test_nothing_is_no_value_for_some(self) -> None:
        for name in NOT_EMPTY:
            self.assertEqual(self.fault(**{name: ""})[1], 73)

    def test_names_of_its_older_versions_are_unknown(self) -> None:
        for name in GONE:
            text, status = self.fault(**{name: "x"})
            self.assertIn(f"generic-worker.config: {name}: found an unknown key", text)
            self.assertEqual(status, 64)
