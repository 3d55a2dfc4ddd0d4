"""What a server said of the content that it sends, enough to know it again (RFC 9110, 8.8, 13.1.5 and 14.4). Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from tcworker.client.streaming import Head
from tcworker.download.dates import seconds_between

_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)", re.ASCII)
"""Numbers that no disk reaches are none."""


@dataclass(frozen=True)
class Representation:
    """One state of what is at an address.

    @ivar validator: what the server tells states apart by, C{W/} before it if it does so roughly; empty if it cannot.
    @ivar encoding: its content encoding, in lower case, empty for none.
    @ivar total: bytes as they are sent, C{None} if that is not said.
    @ivar condition: what to send as C{If-Range}; empty if a part cannot be asked for.
    """

    validator: str
    encoding: str
    total: int | None
    condition: str

    @classmethod
    def read(cls, head: Head) -> Representation:
        """Read it from an answer that begins with the first byte."""
        headers = head.headers
        etag, modified = headers.get("etag", ""), headers.get("last-modified", "")
        strong = etag if etag.startswith('"') else modified if not etag and _is_strong(headers) else ""
        return cls(etag or modified, encoding_of(head), head.length, strong)

    def continued(self, head: Head, offset: int) -> Representation | None:
        """This very state, as it is known once an answer goes on with it at an offset; C{None} if that does not."""
        found = _RANGE.fullmatch(head.headers.get("content-range", ""))
        if found is None or int(found[1]) != offset or not self._has(head):
            return None
        total = self.total if found[3] == "*" else int(found[3])
        # Where nobody says how much there is, a part may be one of many.
        if total is None or self.total not in (None, total):
            return None
        return replace(self, total=total)

    def _has(self, head: Head) -> bool:
        """Whether an answer with a part is of this state, for all that it says."""
        # A server that lost its memory of a state, or never looks at the condition, may send the part of another one.
        etag, modified = head.headers.get("etag", ""), head.headers.get("last-modified")
        dated = not self.condition.startswith('"')
        same = etag == ("" if dated else self.condition) and (not dated or modified in (None, self.condition))
        return same and encoding_of(head) == self.encoding


def encoding_of(head: Head) -> str:
    """The content encoding of an answer; empty for none."""
    encoding = head.headers.get("content-encoding", "").strip().lower()
    return {"identity": "", "x-gzip": "gzip"}.get(encoding, encoding)


def _is_strong(headers: Mapping[str, str]) -> bool:
    """Whether a C{Last-Modified} tells two states apart: only if the last change was a while before the answer."""
    apart = seconds_between(headers.get("last-modified", ""), headers.get("date", ""))
    return apart is not None and apart >= 1
