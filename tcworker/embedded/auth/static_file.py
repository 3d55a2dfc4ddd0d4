"""Static clients in a file: YAML (or JSON, which is YAML too), a list such as this::

    - clientId: static/me
      accessToken: 2fYkD0nkR6-tXCYIZ9_rPA
      scopes: ["queue:create-task:highest:*", "assume:worker-pool:local/*"]
      description: What it is for    # may be left out

Access tokens are in the file as they are: it should be readable for its owner alone.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from tcworker.client.scopes import is_scope
from tcworker.embedded.auth.clients import CLIENT_ID, STATIC, StaticClient

OWN = "static/taskcluster/"
"""What the ids of clients begin with that the server makes itself."""

KEYS = {"clientId", "accessToken", "scopes", "description"}

_TOKEN = re.compile("[a-zA-Z0-9_-]{22,66}")


class BadStaticClients(Exception):
    """The file cannot be used; the text says which, and everything that is wrong with it, but no access token."""


def read_static_clients(path: str) -> Sequence[StaticClient]:
    """Read a file of static clients. Raises L{BadStaticClients}; blocks for as long as reading takes."""
    entries = _parse(path)
    faults = [f"{place}: {fault}" for place, entry in _places(entries) for fault in _faults(entry)]
    ids = Counter(entry["clientId"] for entry in entries if isinstance(entry, dict) and _is_text(entry, "clientId"))
    faults += [f"{client_id} is there {count} times" for client_id, count in ids.items() if count > 1]
    if faults:
        listed = "\n".join(f"  * {fault}" for fault in faults)
        raise BadStaticClients(f"{path} has no good static clients:\n{listed}")
    return [
        StaticClient(entry["clientId"], entry["accessToken"], entry["scopes"], entry.get("description", ""))
        for entry in entries
    ]


def _parse(path: str) -> Sequence[Any]:
    try:
        entries = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except yaml.MarkedYAMLError as error:
        # Its whole text shows the line, which may hold a token.
        line = f" (line {error.problem_mark.line + 1})" if error.problem_mark else ""
        raise BadStaticClients(f"{path} is no YAML: {error.problem}{line}") from None
    except (yaml.YAMLError, ValueError, RecursionError):
        raise BadStaticClients(f"{path} is no YAML, or not in UTF-8") from None
    except OSError as error:
        raise BadStaticClients(f"{path} cannot be read: {error.strerror}") from error
    if not isinstance(entries, list):
        raise BadStaticClients(f"{path} must hold a list of clients, each with clientId, accessToken and scopes")
    return entries


def _places(entries: Sequence[Any]) -> Iterator[tuple[str, Any]]:
    for number, entry in enumerate(entries, 1):
        named = isinstance(entry, dict) and _is_text(entry, "clientId")
        yield entry["clientId"] if named else f"client {number} of the list", entry


def _faults(entry: Any) -> Iterator[str]:
    if not isinstance(entry, dict):
        yield "it must be an object with clientId, accessToken and scopes"
        return
    # The value may stand where the name should, so that only what looks like a name is shown.
    unknown = sorted(str(key) if len(str(key)) < 20 else "a very long name" for key in entry.keys() - KEYS)
    if unknown:
        yield f"it has unknown keys: {', '.join(unknown)}"
    yield from _faults_of_id(entry)
    if not _is_text(entry, "accessToken") or not _TOKEN.fullmatch(entry["accessToken"]):
        yield "its accessToken must be a text (in quotes, if it is a number) of 22 to 66 letters, digits, - and _"
    yield from _faults_of_scopes(entry.get("scopes"))
    if not isinstance(entry.get("description", ""), str):
        yield "its description must be a text"


def _faults_of_id(entry: Any) -> Iterator[str]:
    if not _is_text(entry, "clientId"):
        yield "it has no clientId, or one that is no text"
    elif not entry["clientId"].startswith(STATIC):
        yield f"its clientId must begin with {STATIC}"
    elif entry["clientId"].startswith(OWN):
        yield f"its clientId must not begin with {OWN}: those are the server's own"
    elif not re.fullmatch(CLIENT_ID, entry["clientId"]):
        yield f"its clientId must match {CLIENT_ID}"


def _faults_of_scopes(scopes: Any) -> Iterator[str]:
    if not isinstance(scopes, list) or not all(isinstance(scope, str) for scope in scopes):
        yield "its scopes must be a list of texts"
        return
    for scope in scopes:
        if not is_scope(scope):
            yield f"its scope {scope!r} has other characters than printable ASCII"
        elif scope.endswith("**"):
            yield f"its scope {scope!r} must not end with **"


def _is_text(entry: Any, key: str) -> bool:
    return isinstance(entry.get(key), str)
