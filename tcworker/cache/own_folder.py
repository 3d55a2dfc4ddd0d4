"""A folder that one worker has to itself, as long as it runs. For threads."""

from __future__ import annotations

import os
import stat
import threading
from typing import NoReturn

from twisted.logger import Logger

from tcworker import folder_lock
from tcworker.errors import ConfigError, Fault
from tcworker.folder_lock import LOCK, FolderTaken

_REMOVED = (
    "{path} is not the folder any more that this worker took at its start: it was removed, or a disk was mounted or "
    "unmounted there. What was kept in it for tasks is lost, and it is taken anew"
)

_log = Logger()


class OwnFolder:
    """Nobody else can enter it, nor does another worker use it.

    @ivar path: absolute.
    @ivar wanted: whether it is still to be taken; once it is not, it stays so.
    @param key: of the configuration, which names the path.
    """

    def __init__(self, path: str, key: str) -> None:
        self.path = path
        self.wanted = True
        self._key = key
        self._lock: int | None = None
        # Whoever takes it may be cancelled, and it be given up while a thread still takes it.
        self._changing = threading.Lock()

    def take(self) -> bool:
        """Make it if need be and take it; give whether that was still to be done. Raises L{ConfigError}, C{OSError}."""
        with self._changing:
            if self._lock is not None or not self.wanted:
                return False
            self._lock = self._taken()
            return True

    def take_again(self) -> None:
        """The same if somebody has removed it meanwhile, or put another one in its place."""
        with self._changing:
            if self._lock is not None and not self._has(self._lock):
                _log.error(_REMOVED, path=self.path)
                old, self._lock = self._lock, self._taken()
                os.close(old)

    def give_up(self) -> None:
        """Let others have it; repeatable."""
        with self._changing:
            if self._lock is not None:
                os.close(self._lock)
                self._lock = None

    def _has(self, lock: int) -> bool:
        try:
            # By the lock: the folder itself may stay when somebody empties it, and another worker could take it.
            return os.path.samestat(os.fstat(lock), os.lstat(os.path.join(self.path, LOCK)))
        except (FileNotFoundError, NotADirectoryError):
            return False

    def _taken(self) -> int:
        try:
            os.makedirs(self.path, 0o700, exist_ok=True)
            self._make_private()
            return folder_lock.take(self.path)
        except FolderTaken as taken:
            if taken.pid == str(os.getpid()):
                self._refuse("a folder for this alone, but this process has it for another folder or worker already")
            self._refuse(f"a folder that no other worker uses, but process {taken.pid} does")
        except OSError as error:
            self._refuse(f"a folder that can be made and written to ({error.strerror})")

    def _make_private(self) -> None:
        entry = os.stat(self.path)
        if entry.st_uid != os.geteuid():
            self._refuse(f"a folder of the worker's own user, but user {entry.st_uid} can change what is in it")
        if not stat.S_IMODE(entry.st_mode) & 0o077:
            return
        there = os.listdir(self.path)
        # Closing somebody's shared folder (/tmp, /home) to all others would do more harm than good.
        if there and LOCK not in there:
            self._refuse("a folder of the worker's own, but files of others are in it, and it is open to others")
        os.chmod(self.path, 0o700)

    def _refuse(self, expected: str) -> NoReturn:
        raise ConfigError([Fault(self._key, self.path, expected)])
