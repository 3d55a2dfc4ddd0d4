"""What may be said on a control socket, and where it is."""

from __future__ import annotations

import json
import os

from twisted.trial.unittest import SynchronousTestCase

from tcworker.control.orders import (
    CLEAR_CACHES,
    LIST_CACHES,
    LONGEST,
    ORDERS,
    PURGE_CACHE,
    SOCKET,
    Order,
    address_in,
    read_order,
    write_order,
)


class Orders(SynchronousTestCase):
    def test_what_is_written_is_read(self) -> None:
        for what in (*ORDERS, LIST_CACHES, CLEAR_CACHES):
            for seconds in (None, 0.0, 2.5):
                self.assertEqual(read_order(write_order(Order(what, seconds))), Order(what, seconds))

    def test_a_cache_has_any_name(self) -> None:
        for name in ("level-1", "two words", "\u00fc\u2028\n", "x" * 65536):
            order = Order(PURGE_CACHE, cache=name)
            self.assertEqual(read_order(write_order(order)), order)
            self.assertNotIn(b"\n", write_order(order))
            self.assertLess(len(write_order(order)), LONGEST)

    def test_what_is_no_name(self) -> None:
        for name in ("", "null", '""', "7", "[]"):
            line = '{"order": "purge cache"%s}' % (f', "cache": {name}' if name else "")
            self.assertRaises(ValueError, read_order, line.encode())

    def test_what_is_no_order(self) -> None:
        deep = b"[" * 100_000
        for line in (b"", b"drain", b"[]", b"{}", b'{"order": "explode"}', b'{"order": ["stop"]}', b"\xff", deep):
            self.assertRaises(ValueError, read_order, line)

    def test_seconds_that_no_clock_can_count(self) -> None:
        for seconds in ("-1", "1e999", "NaN", '"5"', "true", "[1]"):
            line = b'{"order": "stop", "seconds": %s}' % seconds.encode()
            self.assertRaises(ValueError, read_order, line)

    def test_what_it_says_of_them(self) -> None:
        error = self.assertRaises(ValueError, read_order, json.dumps({"order": "walk"}).encode())
        self.assertIn("expected drain or stop or status", str(error))


class TheAddress(SynchronousTestCase):
    def test_is_in_the_folder(self) -> None:
        with address_in("/run/tcworker") as address:
            self.assertEqual(address, f"/run/tcworker/{SOCKET}")

    def test_is_short_where_the_folder_s_path_is_long(self) -> None:
        folder = os.path.join(os.path.abspath(self.mktemp()), "long" * 30)
        os.makedirs(folder)
        with address_in(folder) as address:
            self.assertLess(len(address), 100)
            with open(address, "w") as file:
                file.write("here")
        with open(os.path.join(folder, SOCKET)) as file:
            self.assertEqual(file.read(), "here")
