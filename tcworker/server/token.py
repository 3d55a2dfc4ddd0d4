"""The access token of the client who may do everything: given in a file or a variable, or made and kept."""

from __future__ import annotations

import os
import re
import secrets
import stat
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from tcworker.embedded.auth.clients import CLIENT_ID
from tcworker.server.options import CannotServe

VARIABLE = "TASKCLUSTER_ACCESS_TOKEN"

KEPT = "access-token"
"""The file in the server's folder that holds a token which it made itself."""

SHORTEST = 22
"""Characters that Taskcluster demands of a token; on the network fewer could be guessed."""

LONGEST = 1000


@dataclass(frozen=True)
class Token:
    """An access token and where it is from.

    @ivar made: whether this server, or an earlier one in its folder, made it.
    @ivar warning: what somebody should know about where it is kept; empty if nothing.
    """

    text: str = field(repr=False)
    made: bool = False
    warning: str = ""


def check_client_id(client_id: str) -> None:
    """Raise L{CannotServe} for what cannot be a client's id."""
    if not re.fullmatch(CLIENT_ID, client_id):
        raise CannotServe(f"--client-id {client_id}: a client's id has letters, digits and any of !@/:.+|_-")


def take_variable(environ: MutableMapping[str, str]) -> str:
    """Take the token out of the environment, so that no process started later has it; empty if there is none."""
    return environ.pop(VARIABLE, "").strip()


def given_token(file: str | None, variable: str) -> Token | None:
    """Give the token that somebody chose, C{None} if nobody did. Raises L{CannotServe}."""
    if file is not None:
        return _read(file)
    return Token(_checked(variable, VARIABLE)) if variable else None


def own_token(folder: str) -> Token:
    """Give the token that is kept in the server's folder, made now if there is none. Raises L{CannotServe}, C{OSError}.

    It is kept so that variables which somebody exported are good after the next start, too.
    """
    path = os.path.join(folder, KEPT)
    if not os.path.lexists(path):
        _keep(path, secrets.token_urlsafe(33))
    return Token(_read(path).text, made=True)


def _keep(path: str, text: str) -> None:
    """Write it whole or not at all, for nobody else to read, unless another process was faster."""
    unfinished = f"{path}.{os.getpid()}"
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with open(descriptor, "w") as file:
            file.write(f"{text}\n")
        with suppress(FileExistsError):
            os.link(unfinished, path)
    finally:
        os.unlink(unfinished)


def _read(path: str) -> Token:
    with _telling(path), open(path, "rb") as file:
        mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
        # It may be a device that never ends.
        content = file.read(LONGEST + 1)
    text = _checked(content.decode("latin-1").strip(), path)
    others = f"{path} can be read by others: chmod 600 {path}" if mode & 0o077 else ""
    return Token(text, warning=others)


@contextmanager
def _telling(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise CannotServe(f"{path}: the access token cannot be read: {error.strerror}") from None


def _checked(text: str, place: str) -> str:
    if not text:
        raise CannotServe(f"{place}: it is empty; an access token belongs there")
    # The token itself is not shown, whatever it is.
    if len(text) > LONGEST or not all("!" <= letter <= "~" for letter in text):
        raise CannotServe(f"{place}: no access token: that is one word of ASCII letters, digits, - and _")
    return text
