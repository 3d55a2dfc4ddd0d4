"""In which forms secrets are looked for."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote

from twisted.trial.unittest import SynchronousTestCase

from tcworker.interfaces import Credentials
from tcworker.task.masking import Masker
from tcworker.task.secret_forms import forms_of, forms_of_credentials


class Forms(SynchronousTestCase):
    def assert_hidden(self, secret: str, printed: str | bytes) -> None:
        masker = Masker(forms_of(secret))
        out = masker.feed(printed if isinstance(printed, bytes) else printed.encode()) + masker.flush()
        self.assertIn(b"[masked]", out)
        self.assertLess(len(out.replace(b"[masked]", b"")), 12, out)

    def test_as_it_is(self) -> None:
        self.assert_hidden("hunter2", "hunter2")

    def test_without_the_space_around_it(self) -> None:
        self.assert_hidden("  hunter2\n", "hunter2")

    def test_as_json_has_it(self) -> None:
        secret = 'a "quoted" Schlüssel'
        self.assert_hidden(secret, json.dumps(secret))
        self.assert_hidden(secret, json.dumps(secret, ensure_ascii=False))

    def test_as_urls_have_it(self) -> None:
        self.assert_hidden("p@ss/word?", quote("p@ss/word?", safe=""))

    def test_in_base64_wherever_it_begins(self) -> None:
        for before in (b"", b"a", b"ab", b"abc"):
            for secret in ("hunter2", "hunter2!", "hunter2!!", "\u07ff\u07ff\u07fe~~~???"):
                whole = before + secret.encode() + b"z"
                self.assert_hidden(secret, base64.b64encode(whole))
                self.assert_hidden(secret, base64.urlsafe_b64encode(whole))

    def test_each_line_of_several(self) -> None:
        self.assert_hidden("-----BEGIN KEY-----\nMIIabcdefgh\n-----END KEY-----", "  MIIabcdefgh\r\n")

    def test_short_texts_are_not_masked(self) -> None:
        self.assertEqual(forms_of("12345"), [])
        self.assertNotIn(b"}", forms_of('{\n "key": "value"\n}'))

    def test_what_is_no_text(self) -> None:
        self.assertIn(b"\xffsecret", forms_of("\udcffsecret"))
        self.assertEqual(len(forms_of("\ud800secret")[0]), 9)


class OfCredentials(SynchronousTestCase):
    def test_the_token_alone(self) -> None:
        self.assertEqual(forms_of_credentials(Credentials("me", "the-token")), [b"the-token"])

    def test_the_certificate_and_what_is_secret_in_it(self) -> None:
        certificate = json.dumps({"version": 1, "seed": "the-seed", "signature": "the-signature", "issuer": "somebody"})
        forms = forms_of_credentials(Credentials("me", "the-token", certificate))
        for text in (certificate, json.dumps(certificate)[1:-1], "the-seed", "the-signature"):
            self.assertIn(text.encode(), forms)
        self.assertNotIn(b"somebody", forms)

    def test_a_certificate_that_is_none(self) -> None:
        for odd in ("no JSON at all", "[12345678]", '{"signature": 12345678}'):
            self.assertIn(odd.encode(), forms_of_credentials(Credentials("me", "the-token", odd)))
