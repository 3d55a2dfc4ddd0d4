"""Roles, and the scopes that somebody has by them (contracts of the queue, 3.7). Pure.

A role whose id ends with C{*} is one for every name that begins like it. In its scopes, C{<..>} is the name's rest.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import takewhile

from tcworker.client.scopes import ScopeSet
from tcworker.embedded import dates
from tcworker.embedded.faults import ApiError, bad_input
from tcworker.interfaces import JSON

ASSUME = "assume:"

REST = "<..>"

KEPT = 200
"""So many expansions are remembered."""

MOST, LONGEST = 50_000, 10_000_000
"""So many scopes may roles bring, and so many letters: by C{<..>0} and C{<..>1}, each role can double what it gets."""


@dataclass(frozen=True)
class Role:
    """A role.

    @ivar created: in milliseconds, as C{last_modified}.
    """

    role_id: str
    scopes: Sequence[str]
    description: str
    created: int
    last_modified: int

    def body(self, expanded: Iterable[str]) -> JSON:
        """Give it as clients see it; C{expanded} is what who assumes it has."""
        return {
            "roleId": self.role_id,
            "scopes": list(self.scopes),
            "expandedScopes": list(expanded),
            "description": self.description,
            "lastModified": dates.write(self.last_modified),
            "created": dates.write(self.created),
        }


class Roles:
    """All roles as they are at one time: nothing in it changes."""

    def __init__(self, roles: Iterable[Role]) -> None:
        self.by_id: Mapping[str, Role] = {role.role_id: role for role in sorted(roles, key=lambda role: role.role_id)}
        self._ids = list(self.by_id)
        prefixes = [role_id[:-1] for role_id in self._ids if role_id.endswith("*")]
        self._lengths = sorted({len(prefix) for prefix in prefixes})
        self._remembered = lru_cache(KEPT)(self._gain)

    def expand(self, scopes: Iterable[str]) -> ScopeSet:
        """Give these scopes and those of every role that they assume, in turn. Raises L{ApiError} for too many."""
        return _join(scopes, self._gain)

    def expand_again(self, scopes: Iterable[str]) -> ScopeSet:
        """Do the same, for somebody who is known and will come again with the same scopes."""
        return _join(scopes, self._remembered)

    def body(self, role: Role) -> JSON:
        """Give a role as clients see it."""
        return role.body(self.expand([f"{ASSUME}{role.role_id}"]))

    def check(self, role: Role) -> None:
        """Raise L{ApiError} for a role, one of these, that cannot be: endless, too large or ambiguous."""
        _check_parameters(role)
        path: dict[str, Role] = {}
        done: set[str] = set()
        # Without recursion: roles may stand on thousands of others.
        waiting: list[Iterator[Role]] = [iter([role])]
        while waiting:
            found = next(waiting[-1], None)
            if found is None:
                waiting.pop()
                done.update(path.popitem()[:1] if path else ())
            elif found.role_id not in done:
                _check_not_in(path, found)
                path[found.role_id] = found
                waiting.append(self._needed_by(found))
        # Of an unknown rest, all that comes after it would be one.
        self.expand([f"{ASSUME}{role.role_id.removesuffix('*')}"])

    def _gain(self, assuming: tuple[str, ...]) -> ScopeSet | None:
        """Give all scopes that come by roles; C{None} if they are too many."""
        gained: set[str] = set()
        asked, waiting = ScopeSet(assuming), list(assuming)
        count = length = 0
        while waiting:
            brought = [scope for role, rest in self._assumed(waiting.pop()) for scope in _scopes(role, rest)]
            count, length = count + len(brought), length + sum(map(len, brought))
            if count > MOST or length > LONGEST:
                return None
            fresh = set(brought) - gained
            gained |= fresh
            # A pattern has brought already what one of those brings that it includes.
            waiting.extend(scope for scope in _assuming(fresh) if not asked.has(scope))
        return ScopeSet(gained)

    def _needed_by(self, role: Role) -> Iterator[Role]:
        """Give the roles that one may stand on, whatever name it is assumed by."""
        rest = "*" if role.role_id.endswith("*") else None
        for scope in _assuming(_scopes(role, rest)):
            yield from (found for found, _ in self._assumed(scope))

    def _assumed(self, scope: str) -> Iterator[tuple[Role, str | None]]:
        """Give the roles that one scope assumes, and what C{<..>} is in each; C{None} where it is nothing special."""
        name = scope[len(ASSUME) :] if scope.startswith(ASSUME) else "*"
        beginning = name.removesuffix("*")
        for length in takewhile(lambda length: length <= len(beginning), self._lengths):
            # A pattern that begins as this one is among those below.
            if (role := self.by_id.get(f"{name[:length]}*")) and f"{name[:length]}*" != name:
                yield role, name[length:]
        if name.endswith("*"):
            yield from self._beginning(beginning)
        elif role := self.by_id.get(name):
            yield role, None

    def _beginning(self, prefix: str) -> Iterator[tuple[Role, str | None]]:
        for index in range(bisect_left(self._ids, prefix), len(self._ids)):
            role_id = self._ids[index]
            if not role_id.startswith(prefix):
                return
            yield self.by_id[role_id], "*" if role_id.endswith("*") else None


def _join(scopes: Iterable[str], gain: Callable[[tuple[str, ...]], ScopeSet | None]) -> ScopeSet:
    own = ScopeSet(scopes)
    # Who may do everything gains nothing.
    assuming = () if own.has("*") else _assuming(own)
    if not assuming:
        return own
    if (gained := gain(assuming)) is None:
        raise _too_many(assuming)
    return ScopeSet((), own, gained)


def _assuming(scopes: Iterable[str]) -> tuple[str, ...]:
    """Give those scopes that assume roles."""
    return tuple(scope for scope in scopes if scope.startswith(ASSUME) or _includes_assume(scope))


def _includes_assume(scope: str) -> bool:
    return scope.endswith("*") and ASSUME.startswith(scope[:-1])


def _scopes(role: Role, rest: str | None) -> Iterable[str]:
    return role.scopes if rest is None else [_fill_in(scope, rest) for scope in role.scopes]


def _fill_in(scope: str, rest: str) -> str:
    before, parameter, after = scope.partition(REST)
    if not parameter:
        return scope
    # What any rest may come before is itself unknown.
    return before + rest if rest.endswith("*") else before + rest + after


def _check_parameters(role: Role) -> None:
    if not role.role_id.endswith("*"):
        return
    for scope in role.scopes:
        if scope.count(REST) > 1:
            raise bad_input(f"The scope {scope!r} of role {role.role_id} has {REST} more than once.")
        if scope.endswith(f"*{REST}"):
            raise bad_input(f"The scope {scope!r} of role {role.role_id} ends with *{REST}: it could mean two things.")


def _too_many(assuming: Sequence[str]) -> ApiError:
    named = ", ".join(assuming[:3])
    return bad_input(f"Roles bring too many scopes, more than {MOST} or {LONGEST} letters, by {named}.")


def _check_not_in(path: Mapping[str, Role], role: Role) -> None:
    if role.role_id not in path:
        return
    ids = list(path)
    cycle = [*ids[ids.index(role.role_id) :], role.role_id]
    named = " -> ".join(f"{ASSUME}{role_id}" for role_id in cycle)
    raise bad_input(f"Roles must not assume each other in a circle: {named}.")
