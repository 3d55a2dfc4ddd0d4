"""Opens what a task left behind, with the rights of the task's user and no more, and hands out descriptors.

What is asked (C{do}) and answered:

 - C{open} with C{path}: C{{path}} with a descriptor, or C{{path, fault, message}};
 - C{list} with C{path} of a folder: as C{more}, or C{{path, fault, message}};
 - C{more}: C{{entries, done}}, each entry as the answer to C{open}, its C{path} relative to the folder;
 - C{tar} with a pipe: the task's folder is written there, and it is closed; no answer.

C{fault} is C{missing}, C{unreadable} or C{kind} (not a file, one that the kernel makes up, or not a folder).
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator, Sequence
from itertools import islice

from tcworker.launcher.child import Surroundings, to_bytes
from tcworker.launcher.kernel_files import is_of_kernel
from tcworker.launcher.wire import Message, Port, close_all

BATCH = 32
"""How many entries of a folder are opened ahead."""

_MISSING = {errno.ENOENT, errno.ENOTDIR}
_NOWHERE = {errno.ELOOP, errno.ENAMETOOLONG}
"""What makes a path lead to nothing, whatever is there."""


class Fault(Exception):
    """An entry that cannot be opened; C{kind} as in the module's text."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class Opener:
    """Answers on one port until nobody asks any more.

    @param packs: whether it will be asked for a tar.
    """

    def __init__(self, port: Port, surroundings: Surroundings, packs: bool) -> None:
        if packs:
            # The task's user may not be able to read our modules.
            import tarfile  # noqa: F401
        self._port, self._surroundings = port, surroundings
        self._walk: Iterator[tuple[Message, list[int]]] = iter(())

    def serve(self) -> None:
        """Become the task's user, in its folder, and serve."""
        # Before the first path: links of the task lead wherever it liked.
        if self._surroundings.account is not None:
            self._surroundings.account.become()
        os.chdir(self._surroundings.folder)
        while (messages := self._port.receive()) is not None:
            for message, descriptors in messages:
                self._answer(message, descriptors)

    def _answer(self, message: Message, descriptors: Sequence[int]) -> None:
        match message["do"]:
            case "open":
                self._send(*open_entry(message["path"], message["path"]))
            case "list":
                self._list(message["path"])
            case "more":
                self._more()
            case "tar":
                _write_tar(descriptors[0])

    def _list(self, path: str) -> None:
        try:
            self._walk = walk(path)
        except Fault as fault:
            self._send(_faulty(path, fault), [])
        else:
            self._more()

    def _more(self) -> None:
        batch = list(islice(self._walk, BATCH))
        entries = [entry for entry, _ in batch]
        descriptors = [descriptor for _, opened in batch for descriptor in opened]
        self._send({"entries": entries, "done": len(batch) < BATCH}, descriptors)

    def _send(self, message: Message, descriptors: Sequence[int]) -> None:
        self._port.send(message, descriptors)
        close_all(descriptors)


def open_entry(path: str, name: str) -> tuple[Message, list[int]]:
    """Open a regular file, and describe it (or why it cannot be) under a name."""
    try:
        return {"path": name}, [open_file(path, name)]
    except Fault as fault:
        return _faulty(name, fault), []


def open_file(path: str, name: str) -> int:
    """Open a regular file for reading. Raises L{Fault}."""
    try:
        # Opening some devices has effects: look first. Nobody is there to change it meanwhile.
        mode = os.stat(to_bytes(path)).st_mode
        if stat.S_ISREG(mode):
            descriptor = os.open(to_bytes(path), os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
            if stat.S_ISREG(os.fstat(descriptor).st_mode) and not is_of_kernel(descriptor):
                return descriptor
            os.close(descriptor)
    except (OSError, ValueError) as error:
        raise _fault_of(error, name) from error
    raise Fault("kind", f"{name} is {'a folder, not' if stat.S_ISDIR(mode) else 'not'} a file")


def check_folder(path: str) -> None:
    """Make sure that a folder can be listed. Raises L{Fault}."""
    try:
        if not stat.S_ISDIR(os.stat(to_bytes(path)).st_mode):
            raise Fault("kind", f"{path} is not a folder")
        with os.scandir(to_bytes(path)):
            return
    except (OSError, ValueError) as error:
        raise _fault_of(error, path) from error


def walk(top: str) -> Iterator[tuple[Message, list[int]]]:
    """Open all files below a folder, one at a time, sorted by path; links to folders are not followed.

    Raises L{Fault}, at once, if the folder itself cannot be listed.
    """
    return _walk(top, [_listed(top, "")])


def _walk(top: str, folders: list[Iterator[tuple[str, bool]]]) -> Iterator[tuple[Message, list[int]]]:
    while folders:
        name, is_folder = next(folders[-1], ("", False))
        if not name:
            folders.pop()
        elif not is_folder:
            yield open_entry(os.path.join(top, name), name)
        else:
            try:
                folders.append(_listed(top, name))
            except Fault as fault:
                yield _faulty(name, fault), []


def _listed(top: str, folder: str) -> Iterator[tuple[str, bool]]:
    # Without a slash at its end, by which a file would not be found.
    path = os.path.join(top, folder) if folder else top
    check_folder(path)
    try:
        return iter(list(_entries(top, folder)))
    except OSError as error:
        # Somebody of the same user may be about to remove it.
        raise _fault_of(error, path) from error


def _entries(top: str, folder: str) -> Iterator[tuple[str, bool]]:
    """The entries of a folder below C{top}, relative to that, and whether each is a folder."""
    with os.scandir(to_bytes(os.path.join(top, folder))) as entries:
        found = [(_to_text(entry.name), entry.is_dir(follow_symlinks=False)) for entry in entries]
    # As whole paths sort: "a-b" comes before "a/b".
    found.sort(key=lambda entry: entry[0] + "/" if entry[1] else entry[0])
    yield from ((os.path.join(folder, name), is_folder) for name, is_folder in found)


def _to_text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")


def _faulty(name: str, fault: Fault) -> Message:
    return {"path": name, "fault": fault.kind, "message": str(fault)}


def _fault_of(error: OSError | ValueError, name: str) -> Fault:
    if isinstance(error, ValueError) or error.errno in _MISSING:
        return Fault("missing", f"there is no {name}")
    if error.errno in _NOWHERE:
        return Fault("missing", f"there is no {name} ({error.strerror})")
    return Fault("unreadable", f"the task's user may not read {name} ({error.strerror})")


def _write_tar(pipe: int) -> None:
    """Write the folder that we are in; what may not be read is left out."""
    import tarfile

    with (
        contextlib.suppress(BrokenPipeError),
        open(pipe, "wb") as file,
        tarfile.open(fileobj=file, mode="w|", format=tarfile.PAX_FORMAT, errors="surrogateescape") as archive,
    ):
        for name in _tree(""):
            # Nobody is there to change what is packed: it fails before its first byte, or not at all.
            with contextlib.suppress(PermissionError, FileNotFoundError):
                archive.add(name, recursive=False)


def _tree(folder: str) -> Iterator[str]:
    """All that is below the folder that we are in and may be listed, links not followed."""
    for name, is_folder in _entries(".", folder):
        yield name
        if is_folder:
            with contextlib.suppress(PermissionError):
                yield from _tree(name)
