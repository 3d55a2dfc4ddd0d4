"""What went wrong with a request, in words and without secrets."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from OpenSSL.SSL import Error as TLSError
from twisted.internet.defer import CancelledError
from twisted.internet.error import ConnectError, ConnectingCancelledError, DNSLookupError
from twisted.internet.error import TimeoutError as ConnectTimeout
from twisted.web._newclient import RequestNotSent  # not exported where the rest of its family is
from twisted.web.http import _DataLoss  # that of an answer which said how long it is; has no words of its own

from tcworker.client.guard import InDeniedNetwork
from tcworker.errors import Unreachable
from tcworker.printable import printable


class Unsent(Unreachable):
    """The server cannot have seen the request, since there was no connection to it."""


class Denied(Unsent):
    """The server is in a network that the worker's configuration denies."""

    @property
    def may_pass(self) -> bool:
        """Nothing but another configuration would let it."""
        return False


class Misnamed(Unsent):
    """The server's name is none that this client would look up, now or later."""


class UnexpectedAnswer(Unreachable):
    """Something answered, but not as Taskcluster does: a page, an empty body, JSON of another shape."""


def explain(what: str, error: Exception) -> Exception:
    """The error that a caller gets for one of Twisted's: C{CancelledError} if somebody gave up, else L{Unreachable}.

    @param what: names the request, without secrets.
    """
    causes = list(_causes(error))
    # While there is no connection, Twisted has an error of its own for it.
    if any(isinstance(cause, CancelledError | ConnectingCancelledError) for cause in causes):
        return CancelledError()
    for cause in causes:
        if isinstance(cause, InDeniedNetwork):
            return Denied(what, cause.words)
        # Twisted has no error of its own for it.
        if isinstance(cause, ValueError) and str(cause).startswith("invalid hostname"):
            return Misnamed(what, printable(str(cause)))
    # Only these are certain: any other error may have come after the last byte was sent.
    unsent = isinstance(error, ConnectError | DNSLookupError | ConnectTimeout | RequestNotSent)
    return (Unsent if unsent else Unreachable)(what, _words(causes[-1]))


def shown(url: str) -> str:
    """A URL without what may be secret in it: credentials and query; and printable."""
    try:
        parts = urlsplit(url)
    except ValueError:
        # What cannot be taken apart has its secrets who knows where.
        return "…"
    return printable(f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}{'?…' if parts.query else ''}")


def without_queries(text: str) -> str:
    """A text whose URLs have lost their queries, which hold the signature of a signed one."""
    return re.sub(r"(https?://[^\s?\"'<>]*)\?[^\s\"'<>]+", r"\1?…", text)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """What lies under an error that wraps others, as those of Twisted's HTTP do; what came last is last."""
    reasons = getattr(error, "reasons", None)
    if not reasons:
        yield error
        return
    for reason in reasons:
        yield from _causes(reason.value)


def _words(error: BaseException) -> str:
    if isinstance(error, TLSError) and error.args and isinstance(error.args[0], list):
        return "TLS: " + ("; ".join(str(part[-1]) for part in error.args[0]) or "connection lost")
    if isinstance(error, _DataLoss):
        return "the connection was closed before all had come"
    return without_queries(str(error) or type(error).__name__)
