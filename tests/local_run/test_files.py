"""Task files: YAML, JSON and JSON-e."""

from __future__ import annotations

import os
import sys
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tcworker.local_run.files import read_files


class FilesCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = self.mktemp()
        os.mkdir(self.folder)

    def file(self, text: str | bytes, name: str = "task.yml") -> str:
        path = os.path.join(self.folder, name)
        with open(path, "wb") as file:
            file.write(text.encode() if isinstance(text, str) else text)
        return path

    def read(self, text: str, **params: str) -> Any:
        return read_files([self.file(text)], params)[0].content

    def faults(self, *paths: str) -> tuple[str, ...]:
        return tuple(fault for file in read_files(paths, {}) for fault in file.faults)


class WhatIsRead(FilesCase):
    def test_yaml(self) -> None:
        self.assertEqual(self.read("command:\n- [echo, hi]\n"), {"command": [["echo", "hi"]]})

    def test_json_indented_by_tabs(self) -> None:
        self.assertEqual(self.read('{\n\t"command":\t[]\n}'), {"command": []})

    def test_what_is_merged_may_be_overridden(self) -> None:
        content = self.read("x: {y: &b {<<: &a {k: 1}, k: 2}}\nc: {<<: *b, k: 3}")
        self.assertEqual(content, {"x": {"y": {"k": 2}}, "c": {"k": 3}})

    def test_a_date_is_text_as_in_a_task(self) -> None:
        self.assertEqual(self.read("deadline: 2026-01-02T03:04:05Z")["deadline"], "2026-01-02T03:04:05Z")

    def test_parameters_are_text(self) -> None:
        self.assertEqual(self.read("version: ${version}", version="1.10"), {"version": "1.10"})

    def test_from_now(self) -> None:
        self.assertRegex(self.read("deadline: {$fromNow: 1 hour}")["deadline"], r"^\d{4}-.*Z$")

    def test_the_folder_of_the_file_and_the_interpreter(self) -> None:
        content = self.read("here: ${here}\npython: ${python}")
        self.assertEqual(content, {"here": os.path.abspath(self.folder), "python": sys.executable})


class WhatIsRefused(FilesCase):
    def test_all_files_with_faults_are_named(self) -> None:
        missing = os.path.join(self.folder, "missing.yml")
        faults = self.faults(missing, self.file("a: 1", "fine.yml"), self.file("- 1", "list.yml"))
        self.assertEqual([os.path.basename(fault.split(": ")[0]) for fault in faults], ["missing.yml", "list.yml"])

    def test_yaml_that_is_none_says_where(self) -> None:
        self.assertIn("task.yml:2:5: ", self.faults(self.file("a: 1\nb: c: 2"))[0])

    def test_json_that_is_none_says_where(self) -> None:
        self.assertIn("task.yml:2:6: ", self.faults(self.file('{\n\t"a" 1}'))[0])

    def test_a_key_that_stands_twice(self) -> None:
        self.assertIn("task.yml:3:1: the key a for the second time", self.faults(self.file("a: 1\nb: 2\na: 3"))[0])
        self.assertIn("the key a twice", self.faults(self.file('{"a": 1,\t"a": 2}'))[0])

    def test_what_no_task_can_hold(self) -> None:
        for text in ("a: !!binary aGk=", "a: .nan", "a: &x [*x]", "a: !!set {b}"):
            self.assertIn("task.yml", self.faults(self.file(text))[0])

    def test_what_is_not_text(self) -> None:
        self.assertIn("byte 3 is not UTF-8", self.faults(self.file(b"a: \xff"))[0])

    def test_a_shell_variable_in_braces_tells_how_to_write_it(self) -> None:
        (fault,) = self.faults(self.file("command:\n- [sh, -c, 'echo ${HOME}']"))
        self.assertIn("command[0][2]: unknown context value HOME", fault)
        self.assertIn("$${", fault)

    def test_an_unfinished_expression(self) -> None:
        self.assertIn("task.yml: a.b: ", self.faults(self.file("a: {b: '${c'}"))[0])
