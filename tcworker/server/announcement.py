"""What is printed when a server is there: lines for people, which a shell reads as well."""

from __future__ import annotations

from collections.abc import Iterator
from shlex import quote as shell_quote
from urllib.parse import quote

from tcworker.interfaces import Credentials


def page_url(root_url: str, credentials: Credentials) -> str:
    """Give the address of the web page, for one who may do everything.

    What is in a fragment stays in the browser: no server and no log ever sees it.
    """
    client_id, access_token = quote(credentials.client_id, safe=""), quote(credentials.access_token, safe="")
    return f"{root_url}/#clientId={client_id}&accessToken={access_token}"


def announcement(root_url: str, credentials: Credentials, notes: Iterator[str]) -> str:
    """Say how to use a server; whatever is not for a shell is a comment, so that all of it can be sourced."""
    variables = {
        "TASKCLUSTER_ROOT_URL": root_url,
        "TASKCLUSTER_CLIENT_ID": credentials.client_id,
        "TASKCLUSTER_ACCESS_TOKEN": credentials.access_token,
    }
    lines = [
        f"# Taskcluster listens at {root_url}",
        f"# Its web page, for one who may do everything: {page_url(root_url, credentials)}",
        *(f"# {' '.join(note.split())}" for note in notes),
        "# For other clients, in their shell:",
        *(f"export {name}={shell_quote(value)}" for name, value in variables.items()),
        # That of other credentials, which the shell may still have.
        "unset TASKCLUSTER_CERTIFICATE",
    ]
    return "\n".join(lines) + "\n"
