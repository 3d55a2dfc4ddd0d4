"""A second name for a file, on those file systems that know such a thing (C{man 2 link})."""

from __future__ import annotations

import os
from errno import EACCES, EMLINK, ENOSYS, EOPNOTSUPP, EPERM, EXDEV

NO_LINKS = frozenset({EPERM, EOPNOTSUPP, ENOSYS, EMLINK, EXDEV, EACCES})
"""What file systems say that have none: of DOS, of the network, in user space; or that have enough of them."""


def link(source: str, target: str) -> bool:
    """Give a file a second name; C{False} where that cannot be done. Raises C{OSError} for anything else."""
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        return False
    return True
