"""Names in the configuration become classes, and settings a worker."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from tcworker import assemble
from tcworker.assemble import BUILT_IN_FEATURES, HOSTS, PLATFORMS, make_parts, new_worker
from tcworker.config import FEATURES, Source, load_files, parse
from tcworker.errors import ConfigError, Fault
from tcworker.host.local import LocalHost
from tcworker.interfaces import IFeature, IPlatform
from tcworker.worker import Worker

HERE = __name__
VALUES = {
    "rootURL": "http://x",
    "clientId": "c",
    "accessToken": "t",
    "workerType": "w",
    "workerId": "i",
    "platforms": [f"{HERE}.SomePlatform"],
    "features": [f"{HERE}.SomeFeature"],
}


class Part:
    """What a configuration names, made."""

    def __init__(self, reactor: Any, config: Any) -> None:
        self.made_of = (reactor, config)


@implementer(IPlatform)
class SomePlatform(Part):
    """A platform of somebody's own."""


@implementer(IFeature)
class SomeFeature(Part):
    """A feature of somebody's own."""


@implementer(IFeature)
class PickyFeature(Part):
    """A feature that accepts no settings."""

    def __init__(self, reactor: Any, config: Any) -> None:
        raise ConfigError([Fault("workerLocation", "nothing", "a place")])


@implementer(IFeature)
class BrokenFeature(Part):
    """A feature that cannot be made."""

    def __init__(self, reactor: Any, config: Any) -> None:
        raise LookupError("no such thing")


class ManagedHost(LocalHost):
    """A host that knows who the worker is."""

    values: Mapping[str, Any]

    def __init__(self, reactor: Any, values: Mapping[str, Any]) -> None:
        super().__init__(reactor, values)
        self.values = values

    def load_config(self) -> Deferred[Mapping[str, Any]]:
        return succeed({**VALUES, "workerId": self.values["extensions"][f"{HERE}.ManagedHost"]["id"]})


class AssembleTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()

    def faults(self, **values: Any) -> list[str]:
        error = self.assertRaises(ConfigError, new_worker, self.clock, [Source("f", {**VALUES, **values})])
        return [str(fault) for fault in error.faults]

    def fault(self, **values: Any) -> str:
        (fault,) = self.faults(**values)
        return fault


class Workers(AssembleTestCase):
    def test_settings_are_enough_for_one(self) -> None:
        worker = new_worker(self.clock, [Source("f", VALUES)])
        self.assertIsInstance(worker, Worker)
        worker.setServiceParent(MultiService())

    def test_faults_are_told_before_anything_starts(self) -> None:
        self.assertIn("capacity", self.fault(capacity=0))

    def test_faults_of_values_and_names_are_told_together(self) -> None:
        self.assertEqual(len(self.faults(capacity=0, platforms=["nowhere.Class"], unknown=1)), 3)

    def test_what_parts_and_connections_refuse_is_told_with_all_the_rest(self) -> None:
        names = [f"{HERE}.PickyFeature", f"{HERE}.BrokenFeature", "nothing"]
        values = {"capacity": 0, "platforms": ["native"], "features": names, "taskUser": "nosuch", "caBundle": "/none"}
        places = [fault.partition(": found")[0] for fault in self.faults(**values)]
        expected = ["capacity", "features[2]", "taskUser", "workerLocation", "features", "caBundle"]
        self.assertEqual([place.removeprefix("f: ") for place in places], expected)

    def test_a_file_that_cannot_be_read_hides_no_faults_of_others(self) -> None:
        sources = [*load_files(["no-such.yml"]), Source("f", {"capacity": 0, "caBundle": "/none"})]
        error = self.assertRaises(ConfigError, new_worker, self.clock, sources)
        # What is missing may stand in the file.
        self.assertEqual([fault.place for fault in error.faults], ["no-such.yml", "f: capacity", "f: caBundle"])
        self.assertEqual(error.exit_status, 64)

    def test_lists_that_are_none_are_told_once(self) -> None:
        self.assertIn("found 5", self.fault(platforms=5))
        self.assertIn("found [5]", self.fault(host=[5]))
        self.assertIn("found 5", self.fault(platforms=[5]))

    def test_what_a_host_adds_is_waited_for(self) -> None:
        values = {"host": f"{HERE}.ManagedHost", "extensions": {f"{HERE}.ManagedHost": {"id": "i-7"}}}
        new_worker(self.clock, [Source("f", values)])

    def test_nothing_is_waited_for_without_such_a_host(self) -> None:
        error = self.assertRaises(ConfigError, new_worker, self.clock, [Source("f", {})])
        self.assertIn(Fault("workerId", "nothing", "1 to 38 letters, digits, - or _"), error.faults)

    def test_features_of_somebody_s_own_are_objects_beside_those_that_are_named(self) -> None:
        feature = SomeFeature(None, None)
        self.patch(assemble, "Worker", lambda *arguments: arguments)
        _, _, _, make = new_worker(self.clock, [Source("f", VALUES)], [feature])
        parts = make(parse([Source("f", VALUES)]))
        self.assertEqual(len(parts.features), 2)
        self.assertIs(parts.features[1], feature)

    def test_a_file_that_others_may_read_is_told(self) -> None:
        events: list[dict[str, Any]] = []
        globalLogPublisher.addObserver(events.append)
        self.addCleanup(globalLogPublisher.removeObserver, events.append)
        new_worker(self.clock, [Source("f", {**VALUES, "taskUsers": False}, 0o644)])
        texts = [event.get("text") for event in events]
        self.assertIn("f holds secrets and others may read it (mode 0644); chmod 600 it", texts)


class Parts(AssembleTestCase):
    def test_each_is_made_of_the_reactor_and_the_configuration(self) -> None:
        config = parse([Source("f", VALUES)])
        parts = make_parts(self.clock, config)
        (platform,), (feature,) = parts.platforms, parts.features
        self.assertIsInstance(platform, SomePlatform)
        self.assertIsInstance(feature, SomeFeature)
        for part in (platform, feature):
            self.assertEqual(part.made_of, (self.clock, config))

    def test_names_that_the_host_brought_are_checked_too(self) -> None:
        config = parse([Source("host", {**VALUES, "features": ["nothing"]})])
        error = self.assertRaises(ConfigError, make_parts, self.clock, config)
        self.assertEqual(error.faults[0].place, "host: features[0]")

    def test_what_each_of_them_refuses_is_told_together(self) -> None:
        changes = {"features": [f"{HERE}.PickyFeature"], "platforms": ["native"], "taskUser": "nosuch"}
        config = parse([Source("host", {**VALUES, **changes, "caBundle": "/none"})])
        error = self.assertRaises(ConfigError, make_parts, self.clock, config)
        self.assertEqual(
            [fault.place for fault in error.faults], ["host: taskUser", "default: workerLocation", "host: caBundle"]
        )


class Names(AssembleTestCase):
    def test_one_that_is_not_built_in(self) -> None:
        self.assertIn(
            "f: features[0]: found fetch, which is not built in, expected env or", self.fault(features=["fetch"])
        )

    def test_a_module_that_is_not_there(self) -> None:
        self.assertIn("No module named 'nowhere'", self.fault(platforms=["nowhere.Class"]))

    def test_a_class_that_is_not_there(self) -> None:
        self.assertIn("no attribute 'Missing'", self.fault(platforms=[f"{HERE}.Missing"]))

    def test_a_class_of_another_kind(self) -> None:
        self.assertIn("implements no IPlatform", self.fault(platforms=[f"{HERE}.SomeFeature"]))
        self.assertIn("implements no IFeature", self.fault(features=[f"{HERE}.SomePlatform"]))
        self.assertIn("implements no IHost", self.fault(host=f"{HERE}.SomePlatform"))

    def test_something_that_is_no_class(self) -> None:
        self.assertIn("implements no IPlatform", self.fault(platforms=[f"{HERE}.VALUES"]))

    def test_settings_for_a_class_that_nothing_names(self) -> None:
        self.assertIn("f: extensions.a.B", self.fault(extensions={"a.B": {}}))

    def test_settings_for_a_class_that_is_named(self) -> None:
        new_worker(self.clock, [Source("f", {**VALUES, "extensions": {f"{HERE}.SomePlatform": {"x": 1}}})])


class BuiltIn(AssembleTestCase):
    def test_every_default_feature_is_known(self) -> None:
        self.assertEqual(set(FEATURES), set(BUILT_IN_FEATURES))

    def test_every_built_in_name_stands_for_a_class_of_its_kind(self) -> None:
        values = {**VALUES, "platforms": list(PLATFORMS), "features": list(BUILT_IN_FEATURES)}
        for host in HOSTS:
            new_worker(self.clock, [Source("f", {**values, "host": host})])
