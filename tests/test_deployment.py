"""What a Taskcluster and its worker in one process have in common, whoever starts them."""

from __future__ import annotations

import socket

from twisted.trial.unittest import SynchronousTestCase

from tcworker.deployment import worker_id


class TheWorker(SynchronousTestCase):
    def test_is_named_after_the_machine_whatever_that_is_called(self) -> None:
        for name, expected in (("host.example.com", "host-example-com"), ("x" * 50, "x" * 38), ("", "local")):
            self.patch(socket, "gethostname", lambda name=name: name)
            self.assertEqual(worker_id(), expected)
