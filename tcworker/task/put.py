"""Brings the bytes of a file to the address that a storage gave for them: contracts of the queue, 1.9."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from twisted.web.iweb import IBodyProducer

from tcworker.client.http import HTTP
from tcworker.client.trouble import shown
from tcworker.errors import ResourceUnavailable
from tcworker.interfaces import IArchivedFile

IDLE = 60.0
"""Seconds in which at least a byte of an upload must move, while there is time."""


class Refused(Exception):
    """A storage did not take an upload; a new address may help.

    @ivar lasting: whether that is a matter of the address, and not of the storage's state.
    """

    may_pass = True

    def __init__(self, message: str, lasting: bool) -> None:
        super().__init__(message)
        self.lasting = lasting


@contextmanager
def opened(file: IArchivedFile) -> Iterator[IBodyProducer]:
    """Open a file for one upload, which may never come to it."""
    body = file.open()
    try:
        yield body
    finally:
        # Perhaps once more: the HTTP client stops what it was given.
        body.stopProducing()


async def put(http: HTTP, url: str, headers: Mapping[str, str], body: IBodyProducer, idle: float) -> None:
    """Upload a body. Raises L{Refused} where another address may help, L{ResourceUnavailable} where nothing will.

    @param idle: seconds in which at least a byte must move, or the storage answer.
    """
    answer = await http.request("PUT", url, headers=headers, body=body, idle=idle)
    if answer.status < 300:
        return
    what, error = f"PUT {shown(url)}", f"{answer.status}{_code(answer.body)}"
    message = f"{what}: {error}"
    # S3 says 400 to an upload that was too slow, 403 to an address that has expired, and 307 while a bucket is new.
    if answer.status in (400, 403, 408, 429) or not 400 <= answer.status < 500:
        raise Refused(message, lasting=answer.status < 500 and answer.status not in (408, 429))
    raise ResourceUnavailable.refused(what, error)


def _code(body: bytes) -> str:
    """What the storage calls its error; the rest of its answer may quote what was signed."""
    found = re.search(rb"<Code>(\w{1,64})</Code>", body)
    return f" {found[1].decode()}" if found else ""
