"""Tells files from what the kernel makes up when it is read, and which says of who reads it what it is."""

from __future__ import annotations

import ctypes
import os
import sys

_KINDS = frozenset(
    {
        0x9FA0,  # proc
        0x6E736673,  # ns
        0x62656572,  # sys
        0x0027E0EB,  # control groups
        0x63677270,  # control groups, version 2
        0x64626720,  # debug
        0x74726163,  # trace
        0x73636673,  # security
        0xF97CFF8C,  # SELinux
        0x43415D53,  # Smack
        0x62656570,  # config
        0xCAFE4A11,  # BPF
        0x42494E4D,  # binfmt_misc
        0x6165676C,  # pstore
        0xDE5E81E4,  # variables of EFI
        0x50494446,  # processes
        0x5345434D,  # secret memory
        0x09041934,  # what has no name
    }
)
"""The numbers of such file systems in linux/magic.h."""

_SIZE = 256
"""Bytes that a struct statfs has at most."""


def is_of_kernel(descriptor: int) -> bool:
    """Whether what is open is such a file; where no system tells, none is."""
    if sys.platform != "linux":
        return False
    answer = ctypes.create_string_buffer(_SIZE)
    if ctypes.CDLL(None).fstatfs(descriptor, answer) != 0:
        return False
    # The first field is the kind: a long, of which half counts, but on s390.
    kind = ctypes.c_uint if os.uname().machine == "s390x" else ctypes.c_ulong
    return kind.from_buffer(answer).value & 0xFFFFFFFF in _KINDS
