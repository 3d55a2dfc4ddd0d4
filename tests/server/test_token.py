"""Whose access token a server takes."""

from __future__ import annotations

import os
import stat

from twisted.trial.unittest import SynchronousTestCase

from tcworker.server.options import CannotServe
from tcworker.server.token import KEPT, VARIABLE, given_token, own_token, take_variable


class TokenCase(SynchronousTestCase):
    def file(self, content: bytes, mode: int = 0o600) -> str:
        path: str = self.mktemp()
        with open(path, "wb") as file:
            file.write(content)
        os.chmod(path, mode)
        return path

    def refused(self, path: str) -> str:
        return str(self.assertRaises(CannotServe, given_token, path, ""))


class AGivenToken(TokenCase):
    def test_is_the_files_before_it_is_the_variables(self) -> None:
        self.assertEqual(given_token(self.file(b"of-file"), "of-variable").text, "of-file")
        self.assertEqual(given_token(None, "of-variable").text, "of-variable")
        self.assertIsNone(given_token(None, ""))

    def test_is_not_one_that_the_server_made(self) -> None:
        self.assertFalse(given_token(None, "of-variable").made)

    def test_has_no_end_of_line(self) -> None:
        for content in (b"secret\n", b"secret\r\n", b" secret "):
            self.assertEqual(given_token(self.file(content), "").text, "secret")

    def test_must_be_there(self) -> None:
        self.assertIn("empty", self.refused(self.file(b"\n")))
        self.assertIn("No such file", self.refused(self.mktemp()))
        self.assertIn("Is a directory", self.refused("/"))

    def test_must_be_one_word(self) -> None:
        for content in (b"very secret", b"very\nsecret", b"very-s\xc3\xa9cret", b"\0" * 22, b"x" * 2000):
            self.assertNotIn("very", self.refused(self.file(content)))

    def test_that_never_ends_is_not_read_to_the_end(self) -> None:
        self.assertIn("/dev/zero", self.refused("/dev/zero"))

    def test_that_others_can_read_brings_a_warning(self) -> None:
        self.assertEqual(given_token(self.file(b"secret"), "").warning, "")
        self.assertIn("chmod 600", given_token(self.file(b"secret", 0o644), "").warning)

    def test_stays_out_of_its_text(self) -> None:
        self.assertNotIn("secret", repr(given_token(None, "secret")))


class TheVariable(TokenCase):
    def test_is_taken_out_of_the_environment(self) -> None:
        environ = {VARIABLE: "secret", "PATH": "/bin"}
        self.assertEqual(take_variable(environ), "secret")
        self.assertEqual(environ, {"PATH": "/bin"})

    def test_set_to_nothing_is_as_good_as_not_set(self) -> None:
        self.assertEqual([take_variable({}), take_variable({VARIABLE: " "})], ["", ""])


class AnOwnToken(TokenCase):
    def setUp(self) -> None:
        self.folder = self.mktemp()
        os.mkdir(self.folder)

    def test_is_made_and_kept(self) -> None:
        first, second = own_token(self.folder), own_token(self.folder)
        self.assertEqual((first.text, first.made, second.made), (second.text, True, True))
        self.assertGreater(len(first.text), 40)

    def test_is_another_one_in_another_folder(self) -> None:
        other = self.mktemp()
        os.mkdir(other)
        self.assertNotEqual(own_token(self.folder).text, own_token(other).text)

    def test_is_for_nobody_else_to_read(self) -> None:
        own_token(self.folder)
        self.assertEqual(os.listdir(self.folder), [KEPT])
        self.assertEqual(stat.S_IMODE(os.stat(os.path.join(self.folder, KEPT)).st_mode), 0o600)

    def test_that_was_spoilt_is_not_made_anew_without_a_word(self) -> None:
        path = os.path.join(self.folder, KEPT)
        open(path, "w").close()
        self.assertIn(path, str(self.assertRaises(CannotServe, own_token, self.folder)))
