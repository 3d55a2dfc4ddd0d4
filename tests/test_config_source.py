"""Files of settings are read, and what cannot be read is told without its secrets."""

from __future__ import annotations

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tcworker.config_source import Source, load_file
from tcworker.errors import ConfigError


class AFile(SynchronousTestCase):
    def write(self, text: str | bytes, mode: int = 0o600) -> str:
        path = Path(self.mktemp())
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        path.chmod(mode)
        return str(path)

    def fault(self, text: str | bytes) -> str:
        error = self.assertRaises(ConfigError, load_file, self.write(text))
        self.assertEqual(error.exit_status, 64)
        return str(error)

    def test_yaml(self) -> None:
        path = self.write("capacity: 2\nlogs: {maxMegabytes: 5}\n")
        self.assertEqual(load_file(path), Source(path, {"capacity": 2, "logs": {"maxMegabytes": 5}}))

    def test_json_indented_by_tabs(self) -> None:
        self.assertEqual(load_file(self.write('{\n\t"capacity": 2\n}\n')).values, {"capacity": 2})

    def test_yaml_that_looks_like_json_at_first(self) -> None:
        self.assertEqual(load_file(self.write("{capacity: 2}")).values, {"capacity": 2})

    def test_an_empty_one(self) -> None:
        self.assertEqual(load_file(self.write("# nothing\n")).values, {})

    def test_one_that_is_not_there(self) -> None:
        error = self.assertRaises(ConfigError, load_file, "no-such.yml")
        self.assertEqual(
            str(error), "no-such.yml: found No such file or directory, expected a readable file of YAML or JSON"
        )
        self.assertEqual(error.exit_status, 64)

    def test_a_mistake_is_told_with_its_place(self) -> None:
        self.assertIn("line 3, column 1: ", self.fault("capacity: 2\nlogs: [\n"))

    def test_a_mistake_is_told_without_what_it_quotes(self) -> None:
        for text in (
            "accessToken: *token123\n",
            "accessToken: !token123 x\n",
            "accessToken: [token123\n",
            '{"a": token123 "',
        ):
            self.assertNotIn("token123", self.fault(text))

    def test_bytes_that_are_no_text(self) -> None:
        self.assertIn("not text", self.fault(b"workerId: \xff\xfe"))

    def test_a_control_character(self) -> None:
        self.assertIn("expected a readable file", self.fault("workerId: \x07"))

    def test_a_list(self) -> None:
        self.assertIn("found a list, expected keys", self.fault("- capacity\n"))

    def test_keys_that_are_no_text(self) -> None:
        self.assertIn("the key 5", self.fault("5: capacity\n"))
        self.assertIn("expected a readable file", self.fault("? [a]\n: capacity\n"))

    def test_a_key_twice(self) -> None:
        self.assertIn(
            "line 2, column 1: the key capacity for the second time", self.fault("capacity: 1\ncapacity: 2\n")
        )
        self.assertIn("the key capacity twice", self.fault('{"capacity": 1, "capacity": 2}'))

    def test_secrets_that_others_may_read(self) -> None:
        for text in (
            "accessToken: x\n",
            "certificate: x\n",
            "extensions: {}\n",
            '{"accesstoken": "x"}',
            "logs: {mask: []}\n",
        ):
            source = load_file(self.write(text, 0o640))
            self.assertEqual(source.exposed, 0o640, text)
            self.assertIn("(mode 0640); chmod 600 it", source.warning)
            self.assertIsNone(load_file(self.write(text, 0o600)).exposed)

    def test_a_file_without_secrets_may_be_read(self) -> None:
        for text in ("capacity: 1\n", "logs: {maxMegabytes: 1}\n", "logs: null\n"):
            self.assertIsNone(load_file(self.write(text, 0o644)).exposed)

    def test_a_folder(self) -> None:
        os.mkdir("folder")
        self.assertIn("Is a directory", str(self.assertRaises(ConfigError, load_file, "folder")))
