"""IPC objects of a user, found and taken away."""

from __future__ import annotations

import ctypes
import os

from tcworker.engine.native import ipc
from tcworker.engine.native.ipc import has_ipc, remove_ipc
from tests.engine.native.nobodys import MAKE_IPC, UID, NobodysCase

MQ_OPEN = {"x86_64": 240, "aarch64": 180}
FORGE = f"""
my $id = msgget(0, 01600); my $state = ""; msgctl($id, 2, $state);
substr($state, 4, 4) = pack("L", {UID + 1}); msgctl($id, 1, $state) || die;
"""
"""For perl: make a message queue and say that it is another's (IPC_SET)."""


def queue_names() -> list[str]:
    folder = ipc._open_queues()
    assert folder is not None
    try:
        return os.listdir(folder)
    finally:
        os.close(folder)


class IpcTests(NobodysCase):
    """Of both kinds."""

    def test_objects_of_system_v(self):
        self.assertFalse(has_ipc(UID))
        self.run_as_user("perl", "-e", MAKE_IPC)
        self.assertTrue(has_ipc(UID))
        remove_ipc(UID)
        self.assertFalse(has_ipc(UID))

    def test_those_of_others_stay(self):
        libc = ctypes.CDLL(None)
        mine = libc.shmget(0, 4096, 0o1600)
        self.addCleanup(libc.shmctl, mine, 0, None)
        remove_ipc(UID)
        self.assertTrue(has_ipc(os.geteuid()))

    def test_nobody_can_make_them_another_s(self):
        """Who has no account could not be given one: its number would seem to be in use."""
        self.run_as_user("perl", "-e", FORGE)
        self.assertFalse(has_ipc(UID + 1))
        self.assertTrue(has_ipc(UID))
        remove_ipc(UID)
        self.assertFalse(has_ipc(UID))

    def test_message_queues_of_posix(self):
        """Also where nobody has mounted them."""
        number = MQ_OPEN.get(os.uname().machine)
        if number is None or not ipc_can_be_seen():
            return
        name = f"tcworker-test-{os.urandom(4).hex()}"
        script = f'my $name = "{name}"; syscall({number}, $name, 0102, 0600, 0) >= 0 || die $!'
        self.run_as_user("perl", "-e", script)
        self.assertIn(name, queue_names())
        remove_ipc(UID + 1)
        self.assertIn(name, queue_names())
        remove_ipc(UID)
        self.assertNotIn(name, queue_names())


def ipc_can_be_seen() -> bool:
    folder = ipc._open_queues()
    if folder is not None:
        os.close(folder)
    return folder is not None
