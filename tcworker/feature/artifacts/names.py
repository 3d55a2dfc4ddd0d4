"""Which entry of the payload publishes a file that several of them cover."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tcworker.errors import NamingConflict
from tcworker.feature.artifacts.wanted import Wanted


class Names:
    """The names that the entries of one payload have.

    People list the whole of C{public}, and then once more what is to expire earlier, or is of another type: of a file
    that is listed twice under one name, the entry that is nearest to it decides.
    """

    def __init__(self, wanted: Sequence[Wanted]) -> None:
        self._alone = len(wanted) < 2
        self._files = {entry.name: entry for entry in wanted if not entry.directory}
        self._folders: dict[str, list[Wanted]] = {}
        for entry in wanted:
            if entry.directory:
                self._folders.setdefault(entry.named(""), []).append(entry)

    def is_left_to_another(self, entry: Wanted, path: str) -> bool:
        """Whether another entry publishes a file of this one's folder, under the same name.

        Raises L{NamingConflict} if another file of the payload has the name.
        """
        if self._alone:
            return False
        name, place = entry.named(path), entry.located(path)
        file = self._files.get(name)
        if file is None:
            return any(len(rest) < len(path) and other.located(rest) == place for other, rest in self._around(name))
        if file.located() != place:
            raise NamingConflict(f"{file.path} and {place} both have the name {name}; give them two")
        return True

    def places_of(self, name: str) -> Sequence[str]:
        """Where files may lie that have this name."""
        file = self._files.get(name)
        alone = [file.located()] if file else []
        return list(dict.fromkeys([*alone, *(folder.located(rest) for folder, rest in self._around(name))]))

    def _around(self, name: str) -> Iterator[tuple[Wanted, str]]:
        """The folders that a name may be in, each with the name's rest."""
        at = name.find("/")
        while at >= 0:
            yield from ((folder, name[at + 1 :]) for folder in self._folders.get(name[:at], ()))
            at = name.find("/", at + 1)
