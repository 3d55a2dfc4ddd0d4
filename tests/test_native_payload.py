"""What a native task's payload may be: each property absent, at its limits, just over them, and of a wrong type."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tcworker.errors import MalformedPayload
from tcworker.schemas import acceptance_of
from tests.hypotheses import given
from tests.payload_table import properties
from tests.task.test_payload import anything

TASK_ID = "dSlITZ4yQgmvxxAi4A8fHQ"
SHA256 = "0123456789abcdef" * 4
FORMATS = ["br", "bz2", "gz", "lz", "lz4", "mz", "sz", "xz", "zst", "zz"]
ARCHIVES = ["7z", "rar", "tar", *(f"tar.{form}" for form in FORMATS), "zip"]

FINE: Mapping[str, Any] = {"command": [["true"]], "maxRunTime": 60}
ARTIFACT = {"type": "file", "path": "a"}
RAW = {"raw": "text"}
CACHE = {"cacheName": "c", "directory": "d"}
FOLDER = {"directory": "d", "content": RAW, "format": "zip"}
FILE = {"file": "f", "content": RAW}
BY_TASK = {"taskId": TASK_ID, "artifact": "public/a"}
BY_INDEX = {"namespace": "a.b", "artifact": "public/a"}

NOT_TEXT = (1, True, None, ["a"], {})
NOT_A_FLAG = ("true", 0, 1, None, [])
NOT_AN_OBJECT = ("a", 1, None, [])
NOT_A_LIST = ("a", 1, None, {})


@dataclass(frozen=True)
class Case:
    """What one property may be, and what it may not be.

    @ivar fine: of values within the limits those at them.
    @ivar wrong: those just over, and such of another type.
    @ivar around: what else the object holds that has the property.
    """

    fine: Sequence[Any]
    wrong: Sequence[Any]
    around: Mapping[str, Any]


def _flag(around: Mapping[str, Any]) -> Case:
    return Case([True, False], NOT_A_FLAG, around)


def _text(around: Mapping[str, Any], fine: Sequence[str], *wrong: str) -> Case:
    return Case(fine, [*wrong, *NOT_TEXT], around)


def _directory(around: Mapping[str, Any]) -> Case:
    return _text(around, ["d", "/d", "a/b/../c"], "")


def _content(around: Mapping[str, Any]) -> Case:
    return Case([RAW, BY_TASK, BY_INDEX], [{}, {"path": "a"}, *NOT_AN_OBJECT], around)


def _archive(around: Mapping[str, Any]) -> Case:
    return _text(around, ARCHIVES, "gz", "tgz", "ZIP", "")


def _artifact(around: Mapping[str, Any]) -> Case:
    return _text(around, ["a", "x" * 1024], "", "x" * 1025)


def _sha256(around: Mapping[str, Any]) -> Case:
    return _text(around, [SHA256], "", SHA256[:-1], SHA256 + "0", SHA256.upper(), "g" * 64, SHA256 + "\n")


def _log_name() -> Case:
    return _text({}, ["a", "x" * 1024], "", "x" * 1025, "é", "a\n")


_COMMANDS = [[["a"]], [["a", ""], ["b"]], [[""]]]
_NO_COMMANDS = [[], [[]], [["a"], []], ["a"], [[1]], [[None]], "a", None, {}]
_NO_STATUSES = (["0"], [1.5], [True], *NOT_A_LIST)
_NO_FEATURES = ({"unknown": True}, {"hideCmdWindow": True}, {"runAsAdministrator": True})

CASES: Mapping[tuple[str, str], Case] = {
    ("Properties", "command"): Case(_COMMANDS, _NO_COMMANDS, {"maxRunTime": 60}),
    ("Properties", "maxRunTime"): Case([1, 86400, 10**9, 60.0], [0, -1, 1.5, "60", True, None], {"command": [["a"]]}),
    ("Properties", "idleOutputTimeoutSecs"): Case([1, 86400, 60.0], [0, -1, 1.5, "60", True, None], FINE),
    ("Properties", "env"): Case(
        [{}, {"A": ""}, {"A": "b", "B": "c"}], [{"A": 1}, {"A": True}, {"A": None}, *NOT_AN_OBJECT], FINE
    ),
    ("Properties", "artifacts"): Case([[], [ARTIFACT]], [[1], *NOT_A_LIST], FINE),
    ("Properties", "artifacts[].type"): _text({"path": "a"}, ["file", "directory"], "", "volume", "File"),
    ("Properties", "artifacts[].path"): _text({"type": "file"}, ["a", "/a", "../a"], ""),
    ("Properties", "artifacts[].name"): _text(ARTIFACT, ["a", "x" * 1024], "x" * 1025),
    ("Properties", "artifacts[].expires"): _text(
        ARTIFACT, ["2030-01-31T12:00:00.000Z"], "", "tomorrow", "2030-01-31", "2030-01-31T12:00:00"
    ),
    ("Properties", "artifacts[].contentType"): _text(ARTIFACT, ["a", "x" * 255], "x" * 256),
    ("Properties", "artifacts[].contentEncoding"): _text(ARTIFACT, ["gzip", "identity"], "", "br", "GZIP"),
    ("Properties", "artifacts[].optional"): _flag(ARTIFACT),
    ("Properties", "mounts"): Case([[], [FILE], [CACHE, CACHE]], [[1], [{}], *NOT_A_LIST], FINE),
    ("Properties", "onExitStatus"): Case([{}], [{"rerun": [1]}, *NOT_AN_OBJECT], FINE),
    ("Properties", "onExitStatus.retry"): Case([[], [1], [255, 1, 3221225786]], [[0], [1, 2, 1], *_NO_STATUSES], {}),
    ("Properties", "onExitStatus.purgeCaches"): Case([[], [0], [0, 255]], [[-1], [0, 0], *_NO_STATUSES], {}),
    ("Properties", "osGroups"): Case([[], ["docker", "kvm"]], [["a", "a"], [1], *NOT_A_LIST], FINE),
    ("Properties", "logs"): Case([{}], [{"certified": "a"}, *NOT_AN_OBJECT], FINE),
    ("Properties", "logs.live"): _log_name(),
    ("Properties", "logs.backing"): _log_name(),
    ("Properties", "taskclusterProxyInterface"): _text(FINE, ["localhost", "docker-bridge"], "", "0.0.0.0"),
    ("Properties", "supersederUrl"): _text(FINE, ["https://example.com/x", "x", ""]),
    ("Properties", "features"): Case([{}], [*_NO_FEATURES, *NOT_AN_OBJECT], FINE),
    ("Properties", "features.backingLog"): _flag({}),
    ("Properties", "features.liveLog"): _flag({}),
    ("Properties", "features.resourceMonitor"): _flag({}),
    ("Properties", "features.taskclusterProxy"): _flag({}),
    ("Properties", "features.interactive"): _flag({}),
    ("Properties", "features.chainOfTrust"): _flag({}),
    ("Properties", "features.runTaskAsCurrentUser"): _flag({}),
    ("Properties", "features.loopbackAudio"): _flag({}),
    ("Properties", "features.loopbackVideo"): _flag({}),
    ("Mount: Writable cache", "cacheName"): _text({"directory": "d"}, ["c", "level-3-checkouts-v1"], ""),
    ("Mount: Writable cache", "directory"): _directory({"cacheName": "c"}),
    ("Mount: Writable cache", "content"): _content({**CACHE, "format": "zip"}),
    ("Mount: Writable cache", "format"): _archive({**CACHE, "content": RAW}),
    ("Mount: Folder", "directory"): _directory({"content": RAW, "format": "zip"}),
    ("Mount: Folder", "content"): _content({"directory": "d", "format": "zip"}),
    ("Mount: Folder", "format"): _archive({"directory": "d", "content": RAW}),
    ("Mount: File", "file"): _text({"content": RAW}, ["f", "/f"], ""),
    ("Mount: File", "content"): _content({"file": "f"}),
    ("Mount: File", "format"): _text(FILE, FORMATS, "zip", "tar.gz", "", "GZ"),
    ("Content: Artifact", "taskId"): _text(
        {"artifact": "a"}, [TASK_ID], "", TASK_ID[:-1], TASK_ID + "A", "a" * 22, TASK_ID + "\n"
    ),
    ("Content: Artifact", "artifact"): _artifact({"taskId": TASK_ID}),
    ("Content: Artifact", "sha256"): _sha256(BY_TASK),
    ("Content: Artifact of an indexed task", "namespace"): _text({"artifact": "a"}, ["a", "x" * 255], "", "x" * 256),
    ("Content: Artifact of an indexed task", "artifact"): _artifact({"namespace": "a.b"}),
    ("Content: Address", "url"): _text({}, ["https://example.com/a?b"], "", "example.com", "a b"),
    ("Content: Address", "sha256"): _sha256({"url": "https://example.com/a"}),
    ("Content: Text", "raw"): _text({}, ["", "x" * 65536, "é\n"], "x" * 65537),
    ("Content: Bytes", "base64"): _text(
        {}, ["YQ==", "YWI=", "YWJj", "+/" * 32768], "", "a-", "YQ===", "+/" * 32768 + "A"
    ),
}

PAIRED = {("Mount: Writable cache", "content"), ("Mount: Writable cache", "format")}
"""They come together or not at all."""

Place = tuple[str, str]


def payload_with(place: Place, *value: object) -> dict[str, Any]:
    """A payload with a value for a property, or without one."""
    table, path = place
    parent, _, key = path.rpartition(".")
    inner = {**CASES[place].around, **({key: value[0]} if value else {})}
    if table.startswith("Mount"):
        return {**FINE, "mounts": [inner]}
    if table.startswith("Content"):
        return {**FINE, "mounts": [{"file": "f", "content": inner}]}
    if not parent:
        return inner
    return {**FINE, parent.removesuffix("[]"): [inner] if parent.endswith("[]") else inner}


def found_at(place: Place) -> str:
    """Where violations of a property are said to be."""
    table, path = place
    above = {"Mount": "mounts[0].", "Content": "mounts[0].content."}.get(table.partition(":")[0], "")
    return "payload." + above + path.replace("[]", "[0]")


class PayloadCase(SynchronousTestCase):
    """A worker as it is by default, and what it says to payloads."""

    def setUp(self) -> None:
        self.schema = acceptance_of(Clock()).schemas["native"]

    def faults(self, payload: object) -> tuple[str, ...]:
        try:
            self.schema.check(payload)
        except MalformedPayload as error:
            return error.messages
        return ()

    def refused(self, payload: object) -> tuple[str, ...]:
        faults = self.faults(payload)
        self.assertNotEqual(faults, (), payload)
        return faults


class EachProperty(PayloadCase):
    def test_has_a_case(self) -> None:
        self.assertEqual({(each.table, each.path) for each in properties(self.schema.schema)}, set(CASES))

    def test_within_its_limits(self) -> None:
        for place, case in CASES.items():
            for value in case.fine:
                self.assertEqual(self.faults(payload_with(place, value)), (), (place, value))

    def test_over_its_limits_and_of_another_type(self) -> None:
        for place, case in CASES.items():
            for value in case.wrong:
                first, *_ = self.refused(payload_with(place, value))
                self.assertTrue(first.startswith(found_at(place)), (place, value, first))

    def test_absent(self) -> None:
        for each in properties(self.schema.schema):
            place = each.table, each.path
            faults = self.faults(payload_with(place))
            self.assertEqual(faults != (), each.required or place in PAIRED, (place, faults))

    @given(st.sampled_from(sorted(CASES)), anything)
    def test_whatever_it_is_somebody_understands_what_is_wrong(self, place: Place, value: object) -> None:
        for fault in self.faults(payload_with(place, value)):
            self.assertRegex(fault, r"(?s)^payload(\.|\[|:).*: found .*, expected ")

    def test_is_described(self) -> None:
        silent = [each.path for each in properties(self.schema.schema) if not each.schema.get("description")]
        self.assertEqual(silent, [])

    def test_has_a_default_that_fits(self) -> None:
        for each in properties(self.schema.schema):
            if "default" in each.schema:
                self.assertEqual(self.faults(payload_with((each.table, each.path), each.schema["default"])), ())


class Closed(PayloadCase):
    """What nobody reads is a slip whose author would wait for its effect."""

    def unknown(self, payload: object, place: str) -> None:
        """Fail unless a payload is refused for one key that nobody knows."""
        (fault,) = self.refused(payload)
        self.assertTrue(fault.startswith(f"payload.{place}: found an unknown key, expected "), fault)

    def test_keys_that_nobody_knows(self) -> None:
        self.unknown({**FINE, "zzz": 1}, "zzz")
        self.unknown({**FINE, "artifacts": [{**ARTIFACT, "zzz": 1}]}, "artifacts[0].zzz")
        for key in ("features", "logs", "onExitStatus"):
            self.unknown({**FINE, key: {"zzz": 1}}, f"{key}.zzz")

    def test_in_mounts(self) -> None:
        for mount in (CACHE, FOLDER, FILE):
            self.unknown({**FINE, "mounts": [{**mount, "zzz": 1}]}, "mounts[0].zzz")
        for content in (RAW, BY_TASK, BY_INDEX, {"url": "https://example.com/"}, {"base64": "YQ=="}):
            mount = {"file": "f", "content": {**content, "zzz": 1}}
            self.unknown({**FINE, "mounts": [mount]}, "mounts[0].content.zzz")

    def test_what_only_windows_has(self) -> None:
        self.unknown({**FINE, "rdpInfo": "login-identity/rdp.json"}, "rdpInfo")
        for feature in ("runAsAdministrator", "hideCmdWindow"):
            self.unknown({**FINE, "features": {feature: False}}, f"features.{feature}")

    def test_but_variables_have_any_name(self) -> None:
        self.assertEqual(self.faults({**FINE, "env": {"zzz": "1"}}), ())
