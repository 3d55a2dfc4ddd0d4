"""Messages with descriptors beside them."""

from __future__ import annotations

import os
import socket

from twisted.trial.unittest import SynchronousTestCase

from tcworker.launcher.wire import Decoder, Port, encode


class DecoderTests(SynchronousTestCase):
    """Messages come in pieces, and several at a time."""

    def test_pieces(self):
        decoder = Decoder()
        data = encode({"a": 1}) + encode({"b": "\udcff\u00fc"}, [7, 8]) + encode({})
        found = [message for byte in data for message in decoder.feed(bytes([byte]), [7, 8] if byte == 0x7B else [])]
        self.assertEqual([message for message, _ in found], [{"a": 1}, {"b": "\udcff\u00fc"}, {}])

    def test_descriptors_belong_to_their_message(self):
        decoder = Decoder()
        data = encode({"a": 1}) + encode({"b": 1}, [7, 8]) + encode({"c": 1}, [9])
        self.assertEqual(list(decoder.feed(data, [7, 8, 9])), [({"a": 1}, []), ({"b": 1}, [7, 8]), ({"c": 1}, [9])])


class PortTests(SynchronousTestCase):
    """Two ends of a socket."""

    def setUp(self):
        self.ends = [Port(end) for end in socket.socketpair()]
        for end in self.ends:
            self.addCleanup(end.close)

    def test_descriptors_travel_and_are_not_inherited(self):
        here, there = self.ends
        reading, writing = os.pipe()
        here.send({"take": "this"}, [writing])
        os.close(writing)
        [(message, [received])] = there.receive()
        os.write(received, b"through")
        self.assertFalse(os.get_inheritable(received))
        os.close(received)
        self.assertEqual((message, os.read(reading, 100)), ({"take": "this"}, b"through"))
        os.close(reading)

    def test_the_end(self):
        here, there = self.ends
        here.close()
        self.assertIsNone(there.receive())

    def test_descriptors_of_half_a_message_are_closed(self):
        end, other = socket.socketpair()
        reading, writing = os.pipe()
        socket.send_fds(end, [encode({"never": "whole"}, [writing])[:-1]], [writing])
        os.close(writing)
        port = Port(other)
        self.assertEqual(port.receive(), [])
        port.close()
        end.close()
        self.assertEqual(os.read(reading, 1), b"", "nobody has the other end any more")
        os.close(reading)
