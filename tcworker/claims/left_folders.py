"""Folders of runs in the state directory that nobody knows any more: their worker died before or after it knew them."""

from __future__ import annotations

import os
from collections.abc import Collection

from twisted.logger import Logger

from tcworker.removal import remove

_log = Logger()


def remove_unknown(folder: str, known: Collection[str]) -> None:
    """Remove what lies in a folder but for some paths. For threads: it blocks. What does not go is logged.

    To be called before the first run has a folder there.
    """
    names = os.listdir(folder) if os.path.isdir(folder) else []
    for path in sorted({os.path.join(folder, name) for name in names} - set(known)):
        try:
            remove(path)
        except OSError as error:
            _log.warn("what a dead worker left cannot be removed: {error}; remove it by hand", error=error)
