"""The access token of the client who may do everything: given in a file or a variable, or made and kept."""

from __future__ import annotations

import os
import re
import secrets
import stat
from collections.abc import MutableMapping
from dataclasses import dataclass, field

from tcworker.embedded.auth.clients import CLIENT_ID
from tcworker.server.place import Place
from tcworker.server.refusal import CannotServe

VARIABLE = "TASKCLUSTER_ACCESS_TOKEN"

KEPT = "access-token"
"""The file in the server's folder that holds a token which it made itself."""

SHORTEST = 22
"""Characters that Taskcluster demands of a token; on the network fewer could be guessed."""

LONGEST = 1000

MADE = "made-by-tcworker-"
"""What every token begins with that a server made: such a one is known again, wherever it comes from."""


@dataclass(frozen=True)
class Token:
    """An access token and where it is from.

    @ivar warning: what somebody should know about where it is kept; empty if nothing.
    """

    text: str = field(repr=False)
    warning: str = ""


def check_token(token: Token | None, place: Place) -> None:
    """Raise L{CannotServe} for a token that is not good enough for where everybody can try it.

    @param token: somebody's choice; C{None} if the server is to make one.
    """
    if place.is_private:
        return
    where = f"others can reach {place.name}"
    if token is None or token.text.startswith(MADE):
        raise CannotServe(
            f"{where}, and whoever knows the access token runs commands here: choose one yourself, not one that a "
            f"server made, with --access-token-file or the variable {VARIABLE}"
        )
    if len(token.text) < SHORTEST:
        raise CannotServe(f"{where}, and the access token could be guessed: take one of {SHORTEST} letters or more")


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
        _keep(path, MADE + secrets.token_urlsafe(33))
    return _read(path)


def tunnel_secret(file: str) -> str:
    """Give the secret that a websocktunnel shares with the server. Raises L{CannotServe}."""
    return _read(file, "a secret").text


def _keep(path: str, text: str) -> None:
    """Write it whole or not at all, for nobody else to read."""
    unfinished = f"{path}.{os.getpid()}"
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with open(descriptor, "w") as file:
            file.write(f"{text}\n")
        # Nobody else makes one now: the folder is taken.
        os.rename(unfinished, path)
    except BaseException:
        os.unlink(unfinished)
        raise


def _read(path: str, what: str = "an access token") -> Token:
    try:
        with open(path, "rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            # It may be a device that never ends.
            content = file.read(LONGEST + 1)
    except OSError as error:
        raise CannotServe(f"{path}: {what} cannot be read there: {error.strerror}") from None
    text = _checked(content.decode("latin-1").strip(), path, what)
    others = f"{path} can be read by others: chmod 600 {path}" if mode & 0o077 else ""
    return Token(text, others)


def _checked(text: str, place: str, what: str = "an access token") -> str:
    if not text:
        raise CannotServe(f"{place}: it is empty; {what} belongs there")
    # The secret itself is not shown, whatever it is.
    if len(text) > LONGEST or not all("!" <= letter <= "~" for letter in text):
        raise CannotServe(f"{place}: not {what}: that is one word of ASCII letters, digits, - and _")
    return text
