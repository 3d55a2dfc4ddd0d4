"""Roles, and the scopes that somebody has by them (contracts of the queue, 3.7)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

ANONYMOUS = "anonymous"

ANONYMOUS_SCOPES = (
    "auth:current-scopes",
    "auth:expand-scopes",
    "auth:get-client:*",
    "auth:get-role:*",
    "auth:list-clients",
    "auth:list-roles",
    "index:find-task:*",
    "index:list-namespaces:*",
    "index:list-tasks:*",
    "object:get-object:public/*",
    "purge-cache:all-purge-requests",
    "purge-cache:purge-requests:*",
    "queue:get-artifact:public/*",
    "queue:get-provisioner:*",
    "queue:get-task-queue:*",
    "queue:get-task:*",
    "queue:get-worker-type:*",
    "queue:get-worker:*",
    "queue:list-artifacts:*",
    "queue:list-dependent-tasks:*",
    "queue:list-provisioners",
    "queue:list-task-group:*",
    "queue:list-worker-types:*",
    "queue:list-workers:*",
    "queue:pending-count:*",
    "queue:status:*",
    "secrets:list-secrets",
    "worker-manager:get-worker-pool:*",
    "worker-manager:get-worker:*",
    "worker-manager:list-providers",
    "worker-manager:list-worker-pool:*",
    "worker-manager:list-workers:*",
)


class Roles:
    """Which scopes belong to which role.

    @ivar anonymous: what everybody may do, expanded.
    """

    def __init__(self, roles: Mapping[str, Sequence[str]]) -> None:
        self._roles = roles
        self.anonymous = self.expand([f"assume:{ANONYMOUS}"])

    def expand(self, scopes: Iterable[str]) -> tuple[str, ...]:
        """Give these scopes and those of every role that they assume, in turn."""
        expanded = dict.fromkeys(scopes)
        waiting = list(expanded)
        while waiting:
            for scope in self._gained(waiting.pop()):
                if scope not in expanded:
                    expanded[scope] = None
                    waiting.append(scope)
        return tuple(expanded)

    def _gained(self, scope: str) -> Iterable[str]:
        """Give the scopes of the roles that one scope assumes."""
        prefix = scope[:-1] if scope.endswith("*") else None
        if not scope.startswith("assume:") and (prefix is None or not "assume:".startswith(prefix)):
            return
        for role, scopes in self._roles.items():
            assumed = f"assume:{role}"
            if prefix is not None and assumed.startswith(prefix):
                yield from (one.replace("<..>", "*") for one in scopes)
            elif assumed == scope:
                yield from scopes
            elif role.endswith("*") and scope.startswith(assumed[:-1]):
                rest = scope[len(assumed) - 1 :]
                yield from (one.replace("<..>", rest) for one in scopes)


def minimal(scopes: Iterable[str]) -> list[str]:
    """Leave out scopes that another one of them includes; sorted."""
    kept: list[str] = []
    for scope in sorted(set(scopes), key=lambda one: one[:-1] if one.endswith("*") else one):
        if not (kept and kept[-1].endswith("*") and scope.startswith(kept[-1][:-1])):
            kept.append(scope)
    return sorted(kept)
