"""Whatever somebody changes in a proof, it proves nothing any more."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Callable

from hypothesis import given, settings
from hypothesis.strategies import binary, integers, sampled_from, text
from twisted.trial.unittest import SynchronousTestCase

from tcworker.embedded.worker_manager.attestation import BadAttestation, attested
from tcworker.embedded.worker_manager.der import NotDer, elements
from tcworker.embedded.worker_manager.proofs import BadProof, Claim, check_aws, check_azure, check_google
from tests.embedded.wire import START
from tests.embedded.worker_manager.clouds import AUTHORITY, DOCUMENT, ROOT_URL, aws, azure, google, proof_keys

KEYS = proof_keys()
AWS, AZURE, GOOGLE = aws({**DOCUMENT, "instanceId": "worker"}), azure({"vmId": "vm"}), google("worker")
ISSUERS = [AUTHORITY.certificate]


def claim(proof: dict[str, str]) -> Claim:
    return Claim(proof, "worker", {**DOCUMENT, "vmId": "vm"}, True, ROOT_URL, START * 1000)


def changed(data: bytes, where: int, how: int) -> bytes:
    """Change one byte into another one."""
    at = where % len(data)
    return data[:at] + bytes([data[at] ^ how]) + data[at + 1 :]


class Forgeries(SynchronousTestCase):
    def refuses(self, check: Callable[[Claim], None], proof: dict[str, str]) -> None:
        self.assertRaises(BadProof, check, claim(proof))

    def aws(self, one: Claim) -> None:
        assert KEYS.aws is not None
        check_aws(KEYS.aws, one)

    def google(self, one: Claim) -> None:
        assert KEYS.google is not None
        check_google(KEYS.google, one)

    def azure(self, one: Claim) -> None:
        check_azure(ISSUERS, one)

    def test_the_proofs_themselves_are_good(self) -> None:
        for check, proof in ((self.aws, AWS), (self.google, GOOGLE), (self.azure, AZURE)):
            check(claim(proof))

    @settings(deadline=None, max_examples=60)
    @given(integers(0, 10_000), integers(1, 127), sampled_from(["document", "signature"]))
    def test_one_changed_byte_of_a_signed_document(self, where: int, how: int, part: str) -> None:
        if part == "document":
            other = changed(AWS[part].encode(), where, how).decode("latin-1")
        else:
            other = b64encode(changed(b64decode(AWS[part]), where, how)).decode()
        self.refuses(self.aws, {**AWS, part: other})

    @settings(deadline=None, max_examples=60)
    @given(integers(0, 10_000), integers(1, 255))
    def test_one_changed_byte_of_a_token(self, where: int, how: int) -> None:
        parts = GOOGLE["token"].split(".")
        at = where % 3
        data = changed(b64decode(parts[at] + "==", altchars=b"-_"), where, how)
        parts[at] = b64encode(data, altchars=b"-_").decode().rstrip("=")
        self.refuses(self.google, {"token": ".".join(parts)})

    @settings(deadline=None, max_examples=200)
    @given(integers(0, 10_000), integers(1, 255))
    def test_one_changed_byte_of_a_message_does_not_change_what_it_says(self, where: int, how: int) -> None:
        good = b64decode(AZURE["document"])
        # Not all bytes are signed: versions and names of algorithms are not, and say nothing.
        try:
            content = attested(changed(good, where, how), ISSUERS, START * 1000)
        except BadAttestation:
            return
        self.assertEqual(content, attested(good, ISSUERS, START * 1000))

    def test_a_certificate_of_a_version_that_there_is_not(self) -> None:
        version = bytes.fromhex("a0030201")
        bad = b64decode(AZURE["document"]).replace(version + b"\x02", version + b"\x03", 1)
        self.assertRaises(BadAttestation, attested, bad, ISSUERS, START * 1000)

    @settings(deadline=None, max_examples=60)
    @given(binary(max_size=200))
    def test_any_bytes(self, data: bytes) -> None:
        self.assertRaises(BadAttestation, attested, data, ISSUERS, START * 1000)
        try:
            found = elements(data)
        except NotDer:
            return
        self.assertLess(sum(len(content) for _, content in found), len(data) or 1)

    @settings(deadline=None, max_examples=60)
    @given(text(max_size=50))
    def test_any_text(self, anything: str) -> None:
        for check in (self.aws, self.google, self.azure):
            self.refuses(check, {"document": anything, "signature": anything, "token": anything})
            self.refuses(check, {"document": json.dumps({"region": anything}), "signature": "A"})

    def test_texts_that_are_too_deep(self) -> None:
        deep = b64encode(b"[" * 100_000).decode()
        for proof in ({"token": f"{deep}.{deep}.A"}, {"document": "[" * 100_000, "signature": "A"}):
            for check in (self.aws, self.google, self.azure):
                self.refuses(check, proof)
