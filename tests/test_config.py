"""Settings become a typed configuration, or all that is wrong with them."""

from __future__ import annotations

import dataclasses
import os
import re
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tcworker.config import Config, Source, field_of, lay_over, load_file, parse, raise_faults, so_far
from tcworker.config_schema import KEYS
from tcworker.config_without_effect import WITHOUT_EFFECT
from tcworker.errors import ConfigError, Fault
from tcworker.interfaces import Credentials

LEAST = {
    "rootURL": "https://tc.example.com",
    "clientId": "worker/linux",
    "accessToken": "an-access-token",
    "workerType": "linux",
    "workerId": "i-1",
}


def parsed(**values: Any) -> Config:
    return parse([Source("worker.yml", {**LEAST, **values})])


class TheTypedSide(SynchronousTestCase):
    def test_what_is_required_is_enough(self) -> None:
        config = parsed()
        self.assertEqual(config.credentials, Credentials("worker/linux", "an-access-token"))
        self.assertEqual(config.task_queue_id, "test-provisioner/linux")
        self.assertEqual(
            (config.worker_group, config.capacity, config.max_task_run_time), ("test-worker-group", 1, 86400)
        )

    def test_every_key_has_its_field(self) -> None:
        config = parsed(
            certificate='{"version": 1}',
            provisionerId="p",
            capacity=4,
            instanceType="m5.large",
            logs={"maxMegabytes": 7},
            platforms=["native", "a.B"],
            inheritEnv=["PATH"],
            extensions={"a.B": {"x": 1}},
        )
        self.assertEqual(config.credentials.certificate, '{"version": 1}')
        self.assertEqual((config.provisioner_id, config.capacity, config.instance_type), ("p", 4, "m5.large"))
        self.assertEqual((config.logs_max_megabytes, config.platforms), (7, ("native", "a.B")))
        self.assertEqual((config.inherit_env, config.extensions), (("PATH",), {"a.B": {"x": 1}}))

    def test_an_empty_certificate_is_none(self) -> None:
        self.assertIsNone(parsed(certificate="").credentials.certificate)

    def test_a_slash_at_the_end_of_the_root_url_means_nothing(self) -> None:
        self.assertEqual(parsed(rootURL="https://tc.example.com/").root_url, "https://tc.example.com")

    def test_folders_are_of_the_working_directory(self) -> None:
        config = parsed(tasksDir="../tasks")
        self.assertEqual(config.tasks_dir, os.path.abspath("../tasks"))
        self.assertEqual(config.state_dir, os.path.abspath("state"))

    def test_where_tasks_are_when_nobody_says_so(self) -> None:
        self.assertEqual(parsed(taskUsers=True).tasks_dir, "/home")
        self.assertEqual(parsed(taskUsers=False).tasks_dir, os.path.abspath("tasks"))
        self.assertEqual(parsed(taskUsers=True, tasksDir="/tasks").tasks_dir, "/tasks")

    def test_who_tasks_are_when_nobody_says_so(self) -> None:
        for uid, user, own in ((0, {}, True), (0, {"taskUser": "nobody"}, False), (4711, {}, False)):
            self.patch(os, "geteuid", lambda uid=uid: uid)
            self.assertEqual(parsed(**user).task_users, own)

    def test_whole_numbers_may_be_written_as_json_of_other_programs_does(self) -> None:
        capacity = parsed(capacity=2.0).capacity
        self.assertEqual((capacity, type(capacity)), (2, int))

    def test_names_are_read_whatever_their_case(self) -> None:
        config = parse([Source("f", {**LEAST, "workerID": "i-9", "INSTANCETYPE": "m5.large"})])
        self.assertEqual((config.worker_id, config.instance_type), ("i-9", "m5.large"))
        self.assertEqual(parse([Source("f", {**LEAST, "instanceID": "i-9"})]).ignored, ("instanceId",))

    def test_names_without_effect_here_are_accepted_and_told(self) -> None:
        config = parsed(enableInteractive=True, d2gConfig={"anything": [1]})
        self.assertEqual(config.ignored, ("d2gConfig", "enableInteractive"))

    def test_what_is_known_before_the_host_has_been_asked(self) -> None:
        config = so_far(lay_over([Source("f", {"capacity": 2, "workerId": "i-1"})]))
        self.assertEqual((config.capacity, config.worker_id, config.root_url), (2, "i-1", ""))

    def test_where_a_key_is_to_be_found(self) -> None:
        places = ("rootURL", "workerId", "clientId", "logs.maxMegabytes", "disableOOMProtection")
        expected = ["root_url", "worker_id", "credentials.client_id", "logs_max_megabytes", "disable_oom_protection"]
        self.assertEqual([field_of(place) for place in places], expected)

    def test_no_secret_is_in_its_repr(self) -> None:
        config = parsed(
            certificate='{"seed": "hidden"}',
            extensions={"a.B": {"password": "hidden"}},
            logs={"mask": ["hidden", {"pattern": "hidden"}]},
        )
        self.assertNotIn("hidden", repr(config))
        self.assertNotIn("an-access-token", repr(config))


class SeveralSources(SynchronousTestCase):
    def test_later_ones_win_and_objects_are_merged(self) -> None:
        config = parse(
            [
                Source("file", {**LEAST, "capacity": 2, "workerTypeMetadata": {"a": 1, "b": {"c": 2}}}),
                Source("host", {"capacity": 3, "workerTypeMetadata": {"b": {"d": 4}}}),
            ]
        )
        self.assertEqual(config.capacity, 3)
        self.assertEqual(config.worker_type_metadata, {"a": 1, "b": {"c": 2, "d": 4}})

    def test_each_value_knows_where_it_came_from(self) -> None:
        config = parse(
            [
                Source("file", {**LEAST, "workerTypeMetadata": {"a": 1}}),
                Source("host", {"workerTypeMetadata": {"b": 2}}),
            ]
        )
        self.assertEqual(config.origins["rootURL"], "file")
        self.assertEqual(config.origins["capacity"], "default")
        self.assertEqual(config.origins["workerTypeMetadata.b"], "host")

    def test_null_takes_a_setting_away(self) -> None:
        config = parse([Source("file", {**LEAST, "capacity": 2}), Source("host", {"capacity": None})])
        self.assertEqual((config.capacity, config.origins["capacity"]), (1, "default"))

    def test_sources_stay_as_they_are(self) -> None:
        values = {**LEAST, "workerTypeMetadata": {"a": 1}}
        parse([Source("file", values), Source("host", {"workerTypeMetadata": {"a": 2}})])
        self.assertEqual(values["workerTypeMetadata"], {"a": 1})

    def test_an_object_in_the_place_of_a_value_replaces_it(self) -> None:
        merged = lay_over(
            [Source("a", {"workerTypeMetadata": {"a": 1}}), Source("b", {"workerTypeMetadata": {"a": {"b": 1}}})]
        )
        self.assertEqual(merged.values["workerTypeMetadata"], {"a": {"b": 1}})


class Faults(SynchronousTestCase):
    def faults(self, **values: Any) -> tuple[Fault, ...]:
        return self.assertRaises(ConfigError, parsed, **values).faults

    def only_fault(self, **values: Any) -> Fault:
        (fault,) = self.faults(**values)
        return fault

    def test_all_are_told_at_once(self) -> None:
        faults = self.faults(capacity=0, workerId="a b", logs={"maxMegabytes": "5"})
        self.assertEqual(
            sorted(fault.place for fault in faults),
            ["worker.yml: capacity", "worker.yml: logs.maxMegabytes", "worker.yml: workerId"],
        )

    def test_each_says_what_was_found_and_expected(self) -> None:
        self.assertEqual(
            str(self.only_fault(capacity=256)), "worker.yml: capacity: found 256, expected a whole number from 1 to 255"
        )

    def test_items_of_lists_are_told_by_number(self) -> None:
        self.assertEqual(self.only_fault(inheritEnv=["A", "B=C"]).place, "worker.yml: inheritEnv[1]")

    def test_one_name_twice_in_a_list(self) -> None:
        self.assertIn("the same twice", self.only_fault(features=["env", "env"]).found)

    def test_what_is_missing(self) -> None:
        error = self.assertRaises(ConfigError, parse, [Source("f", {})])
        self.assertEqual({fault.place for fault in error.faults}, set(LEAST))
        self.assertEqual({fault.found for fault in error.faults}, {"nothing"})

    def test_what_is_missing_may_come_from_the_host_later(self) -> None:
        raise_faults(lay_over([Source("f", {"capacity": 2})]), whole=False)
        self.assertRaises(ConfigError, raise_faults, lay_over([Source("f", {"capacity": 0})]), whole=False)

    def test_an_unknown_key_with_the_nearest_known_one(self) -> None:
        self.assertEqual(self.only_fault(capacty=2), Fault("worker.yml: capacty", "an unknown key", "perhaps capacity"))

    def test_an_unknown_key_of_an_object(self) -> None:
        self.assertEqual(self.only_fault(logs={"size": 1}).expected, "one of maxMegabytes, mask")

    def test_keys_that_the_reference_worker_has_given_up_are_unknown(self) -> None:
        self.assertEqual(self.only_fault(deploymentId="d").found, "an unknown key")

    def test_unknown_keys_and_bad_values_have_different_statuses(self) -> None:
        self.assertEqual(self.assertRaises(ConfigError, parsed, capacity=0).exit_status, 73)
        self.assertEqual(self.assertRaises(ConfigError, parsed, capacity=0, capacty=1).exit_status, 64)

    def test_a_newline_at_the_end_does_not_fit_a_pattern(self) -> None:
        self.assertEqual(self.only_fault(workerId="i-1\n").place, "worker.yml: workerId")

    def test_masks_that_mask_everything(self) -> None:
        fault = self.only_fault(logs={"mask": ["long enough", " short\n", "äöü"]})
        self.assertEqual((fault.place, fault.found), ("worker.yml: logs.mask[1]", "text of 5 bytes"))

    def test_masks_that_are_no_patterns(self) -> None:
        fault = self.only_fault(logs={"mask": [{"pattern": "ab*c"}]})
        self.assertEqual(fault.place, "worker.yml: logs.mask[0].pattern")
        self.assertIn("upper bound", fault.expected)
        self.assertIn("pattern:", self.only_fault(logs={"mask": [{"patern": "x"}]}).expected)

    def test_networks_that_are_none(self) -> None:
        for network in ("10.0.0.0/33", "the internet", ""):
            fault = self.only_fault(mounts={"denyNetworks": ["fd00::/8", network]})
            self.assertEqual((fault.place, fault.found), ("worker.yml: mounts.denyNetworks[1]", network))
        self.assertEqual(self.only_fault(mounts={"denyNetworks": [10]}).place, "worker.yml: mounts.denyNetworks[0]")

    def test_numbers_have_an_end(self) -> None:
        for value in (float("nan"), float("inf"), -1):
            for key in ("killGraceSecs", "allowedHighMemoryDurationSecs"):
                self.assertEqual(self.only_fault(**{key: value}).place, f"worker.yml: {key}")
            self.assertEqual(self.only_fault(limits={"cpus": value}).place, "worker.yml: limits.cpus")

    def test_shares_of_a_processor_that_the_kernel_can_give(self) -> None:
        self.assertEqual(parsed(limits={"cpus": 0.01}).limits_cpus, 0.01)
        self.assertIn("0.01 or more", self.only_fault(limits={"cpus": 0.001}).expected)

    def test_certificates_that_no_request_can_be_signed_with(self) -> None:
        for certificate in ("no JSON", "[]", "[" * 100_000):
            self.assertEqual(self.only_fault(certificate=certificate).place, "worker.yml: certificate")

    def test_true_is_no_number(self) -> None:
        self.assertEqual(self.only_fault(capacity=True).found, "true")

    def test_the_fault_names_the_source_that_won(self) -> None:
        sources = [Source("file", {**LEAST, "capacity": 1}), Source("host", {"capacity": "many"})]
        self.assertEqual(self.assertRaises(ConfigError, parse, sources).faults[0].place, "host: capacity")


class Secrets(SynchronousTestCase):
    """None may be in a fault, which ends up in logs and terminals."""

    def test_values_of_secret_keys(self) -> None:
        for values in (
            {"accessToken": 123454321},
            {"accessToken": "secret with blanks 123454321"},
            {"accessToken": ["123454321"]},
            {"certificate": "not JSON 123454321"},
            {"certificate": {"seed": "123454321"}},
            {"extensions": {"a.B": "123454321"}},
            {"extensions": "123454321"},
            {"acessToken": "123454321"},
            {"logs": "123454321"},
            {"logs": {"mask": "123454321"}},
            {"logs": {"mask": [123454321]}},
            {"logs": {"mask": [{"patern": "123454321"}]}},
            {"logs": {"mask": [{"pattern": "(123454321"}]}},
            {"logs": {"mask": [{"pattern": ["123454321"]}]}},
            {"rootURL": "https://user:123454321@tc.example.com"},
            {"pulse": "amqp://user:123454321@broker:many/"},
            {"pulse": "user:123454321@broker"},
            {"pulse": ["amqp://user:123454321@broker"]},
        ):
            error = self.assertRaises(ConfigError, parsed, **values)
            self.assertNotIn("123454321", str(error), values)

    def test_what_was_read_but_not_yet_parsed(self) -> None:
        source = Source("f", {"accessToken": "123454321", "logs": {"mask": ["123454321"]}})
        self.assertNotIn("123454321", repr([source, lay_over([source])]))


class Consistency(SynchronousTestCase):
    def test_every_key_says_in_words_what_it_may_be(self) -> None:
        self.assertEqual([key for key, schema in KEYS.items() if not schema.get("expected")], [])

    def test_every_key_has_a_field_and_every_field_a_key(self) -> None:
        values: dict[str, Any] = {"string": "x", "integer": 9, "number": 9.5, "array": ["x"], "object": {}}
        special: dict[str, Any] = {
            "rootURL": "http://x",
            "certificate": "{}",
            "logs": {"maxMegabytes": 9, "mask": ["a secret"]},
            "taskUidRange": [20000, 29999],
            "limits": {"memoryMB": 9, "pids": 9, "cpus": 0.5},
            "pulse": "amqp://x",
            "mounts": {
                "strictReadOnly": True,
                "retrySecs": 9.5,
                "denyNetworks": ["10.0.0.0/8"],
                "maxExtractedMegabytes": 9,
            },
        }
        untouched = parsed()
        flags = {key for key, schema in KEYS.items() if schema["type"] == "boolean"}
        special |= {key: not getattr(untouched, field_of(key)) for key in flags}
        changed = parsed(
            **{key: values[schema["type"]] for key, schema in KEYS.items() if key not in special}, **special
        )
        same = {
            field.name
            for field in dataclasses.fields(Config)
            if getattr(changed, field.name) == getattr(untouched, field.name)
        }
        self.assertEqual(same, {"extensions", "worker_type_metadata", "ignored"})

    def test_every_key_is_explained(self) -> None:
        text = Path(__file__).parents[1].joinpath("docs", "configuration.md").read_text()
        explained = set(re.findall(r"`([A-Za-z0-9]+)[`.]", text))
        self.assertEqual((KEYS.keys() | WITHOUT_EFFECT.keys()) - explained, set())

    def test_the_reasons_of_those_without_effect_are_explained(self) -> None:
        text = Path(__file__).parents[1].joinpath("docs", "configuration.md").read_text()
        for reason in {unused.reason for unused in WITHOUT_EFFECT.values()}:
            names = [f"`{name}`" for name, unused in WITHOUT_EFFECT.items() if unused.reason == reason]
            self.assertIn(f"\n| {', '.join(names)} | {reason} |\n", text)

    def test_the_example_is_a_configuration(self) -> None:
        example = load_file(str(Path(__file__).parents[1].joinpath("examples", "worker.yml")))
        self.assertEqual(parse([example]).task_queue_id, "example/linux")
