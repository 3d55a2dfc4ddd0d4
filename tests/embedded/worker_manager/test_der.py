"""Opening DER."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tcworker.embedded.worker_manager.der import OCTETS, SEQUENCE, NotDer, elements, inside


class Der(SynchronousTestCase):
    def test_elements_one_after_the_other(self) -> None:
        self.assertEqual(elements(b"\x04\x01a\x30\x00\x02\x02bc"), [(4, b"a"), (0x30, b""), (2, b"bc")])
        self.assertEqual(elements(b""), [])

    def test_long_ones(self) -> None:
        for size in (b"\x81\xc8", b"\x82\x00\xc8", b"\x84\x00\x00\x00\xc8"):
            self.assertEqual(elements(b"\x04" + size + b"x" * 200), [(4, b"x" * 200)])

    def test_what_is_nested(self) -> None:
        self.assertEqual(inside(b"\x30\x05\x30\x03\x04\x01a", SEQUENCE, SEQUENCE, OCTETS), b"a")
        for data in (b"\x31\x00", b"\x30\x00\x30\x00", b""):
            self.assertRaises(NotDer, inside, data, SEQUENCE)

    def test_what_is_cut_off_or_not_read(self) -> None:
        for data in (b"\x04", b"\x04\x02a", b"\x04\x81", b"\x04\x82\x01", b"\x04\x80a\x00\x00", b"\x1f\x81\x01\x00"):
            self.assertRaises(NotDer, elements, data)
        self.assertRaises(NotDer, elements, b"\x04\x89" + b"\x00" * 20)
