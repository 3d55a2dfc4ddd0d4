"""The addresses at which the contents of artifacts and objects are put and got.

An address is good for one method, one content and some time, and says so in its signature, which nobody can make who
does not have the server's key: what a bucket's presigned URLs do for a real deployment (contracts of the queue, 1.9).
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from urllib.parse import parse_qs, quote, urlencode

from twisted.internet.interfaces import IReactorTime

from tcworker.embedded import dates

PREFIX = "/storage/"

NO_HEADERS: Mapping[str, str] = {}

_DATE = re.compile(r"\d{1,15}", re.ASCII)


class Addresses:
    """Makes addresses of contents and knows its own again.

    @ivar root_url: of the server; set once it listens.
    """

    def __init__(self, clock: IReactorTime, secret: str) -> None:
        self.root_url = ""
        self._clock = clock
        self._secret = secret.encode()

    def of(self, method: str, key: str, expires: int, headers: Mapping[str, str] = NO_HEADERS) -> str:
        """Give an address of a content.

        @param expires: in milliseconds.
        @param headers: what a request must come with, by lower-case name.
        """
        names = ";".join(sorted(headers))
        signature = self._sign(method, key, str(expires), {name: headers[name] for name in sorted(headers)})
        query = {"expires": expires, "headers": names, "signature": signature}
        return f"{self.root_url}{PREFIX}{_quote(key)}?{urlencode(query)}"

    def permits(self, method: str, key: str, query: str, headers: Mapping[str, str] = NO_HEADERS) -> bool:
        """Whether an address that somebody uses is one of ours, still good, and used with the headers it is for."""
        given = {name: values[0] for name, values in parse_qs(query).items()}
        expires, names = given.get("expires", ""), given.get("headers", "")
        if not _DATE.fullmatch(expires) or int(expires) < dates.now(self._clock):
            return False
        signed = {name: headers.get(name, "") for name in names.split(";") if name}
        expected = self._sign(method, key, expires, signed)
        return hmac.compare_digest(expected.encode(), given.get("signature", "").encode())

    def _sign(self, method: str, key: str, expires: str, headers: Mapping[str, str]) -> str:
        text = json.dumps([method, key, expires, list(headers.items())])
        return hmac.new(self._secret, text.encode(), hashlib.sha256).hexdigest()


def _quote(key: str) -> str:
    # Clients resolve what looks like a folder's parent, but not within one segment.
    alike = {"", ".", ".."}.intersection(key.split("/"))
    return quote(key, safe="" if alike else "/")
