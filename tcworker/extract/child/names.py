"""Names of members, which are a stranger's: what of them may become a path."""

from __future__ import annotations

from tcworker.extract.child.faults import ArchiveFault, show

_LONGEST = 4096
"""What the system takes as a path."""


def parts_of(name: bytes) -> list[bytes]:
    """Split the name of a member into those of folders and its own; none for the folder that all goes to.

    Raises L{ArchiveFault}.
    """
    if name.startswith(b"/"):
        raise ArchiveFault("its path is absolute")
    if b"\0" in name:
        raise ArchiveFault("its path has a NUL in it")
    if len(name) > _LONGEST:
        raise ArchiveFault(f"its path is longer than {_LONGEST} bytes")
    parts = [part for part in name.split(b"/") if part not in (b"", b".")]
    if b".." in parts:
        raise ArchiveFault("its path has .. in it")
    return parts


def check_link(depth: int, target: bytes) -> None:
    """See that a symbolic link leads to nowhere outside. Raises L{ArchiveFault}.

    @param depth: how many folders deep it lies.
    """
    # Its folders are real ones, and no other link leads outside. So as many steps up as it is deep lead nowhere else,
    # but after a step down, which may be over a link, nobody knows where one more step up would lead.
    parts = [part for part in target.split(b"/") if part not in (b"", b".")]
    ups = next((number for number, part in enumerate(parts) if part != b".."), len(parts))
    if not target or b"\0" in target or len(target) > _LONGEST:
        raise ArchiveFault("it is a link to what cannot be a path")
    if target.startswith(b"/") or ups > depth or b".." in parts[ups:]:
        raise ArchiveFault(f"it is a link to {show(target)}, which leads out of the folder")
