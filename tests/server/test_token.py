"""Whose access token a server takes."""

from __future__ import annotations

import os
import stat

from twisted.trial.unittest import SynchronousTestCase

from tcworker.server.place import Place
from tcworker.server.refusal import CannotServe
from tcworker.server.token import (
    KEPT,
    VARIABLE,
    Token,
    check_token,
    given_token,
    own_token,
    take_variable,
    tunnel_secret,
)

GOOD = Token("a-token-of-22-letters-x")
OPEN, PRIVATE = Place("192.0.2.1", "tc.example.com", False), Place("127.0.0.1", "localhost", True)


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
        self.assertEqual(first.text, second.text)
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


class WhereOthersCanReachIt(TokenCase):
    def why_not(self, token: Token | None) -> str:
        error = self.assertRaises(CannotServe, check_token, token, OPEN)
        self.assertEqual(error.status, 64)
        self.assertNotIn(token.text if token else "None", str(error))
        return str(error)

    def test_somebody_must_have_chosen_a_token(self) -> None:
        self.assertIn("--access-token-file", self.why_not(None))

    def test_one_that_a_server_made_is_no_choice_wherever_it_comes_from(self) -> None:
        os.mkdir(folder := self.mktemp())
        made = own_token(folder)
        for token in (made, given_token(None, made.text), given_token(os.path.join(folder, KEPT), "")):
            self.assertIn("not one that a server made", self.why_not(token))

    def test_the_token_must_be_long(self) -> None:
        self.assertIn("guessed", self.why_not(Token("guess-me")))

    def test_a_good_one_will_do(self) -> None:
        check_token(GOOD, OPEN)

    def test_elsewhere_any_will_do(self) -> None:
        for token in (GOOD, Token("x"), None):
            check_token(token, PRIVATE)


class TheSecretOfATunnel(TokenCase):
    def test_is_one_word_of_a_file(self) -> None:
        self.assertEqual(tunnel_secret(self.file(b"secret\n")), "secret")

    def test_that_cannot_be_is_refused(self) -> None:
        path = self.file(b"very secret")
        said = str(self.assertRaises(CannotServe, tunnel_secret, path))
        self.assertIn(f"{path}: not a secret", said)
        self.assertNotIn("very", said)
