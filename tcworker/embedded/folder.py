"""The data folder of a server: one process at a time has it, and what it holds is known before anything is changed."""

from __future__ import annotations

import glob
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from tcworker import folder_lock
from tcworker.embedded.database_file import CHECKS, DataUnusable
from tcworker.folder_lock import FolderTaken

DATABASE = "taskcluster.db"


class DataFolder:
    """A folder, first to be taken (L{take}), and to be filled (L{make}) when its database is known to be good.

    All of it blocks, for as long as some calls of the kernel take.

    @ivar database: the path of the database's file.
    @ivar artifacts: the folder of contents.
    @ivar uploads: the folder of what is not whole yet.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self.database, self.artifacts, self.uploads = (
            os.path.join(path, name) for name in (DATABASE, "artifacts", "uploads")
        )

    def take(self) -> Callable[[], None]:
        """Make it if it is not there, and have it until what is given is called. Raises L{DataUnusable}."""
        with self._telling():
            os.makedirs(self._path, mode=0o700, exist_ok=True)
            return partial(os.close, folder_lock.take(self._path))

    def make(self) -> None:
        """Make the folders in it, and remove what an earlier process did not finish. Raises L{DataUnusable}."""
        with self._telling():
            for folder in (self.artifacts, self.uploads):
                os.makedirs(folder, mode=0o700, exist_ok=True)
            # A folder there is none of ours.
            for left in (file for file in os.scandir(self.uploads) if not file.is_dir(follow_symlinks=False)):
                os.unlink(left)
            for path in glob.glob(f"{glob.escape(self._path)}/{CHECKS}*"):
                # Not through links, nor because of one that is in the way.
                shutil.rmtree(path, ignore_errors=True)

    @contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except FolderTaken as taken:
            raise DataUnusable(f"{taken}: stop that one, or name another folder") from None
        except FileExistsError as error:
            raise DataUnusable(f"{self._path} cannot be used: {error.filename} is no folder") from None
        except OSError as error:
            raise DataUnusable(f"{self._path} cannot be used: {error}") from error
