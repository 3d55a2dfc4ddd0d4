"""What answers of servers mean for a download: content, another address, a failure that passes or one that does not."""

from __future__ import annotations

from http import HTTPStatus
from urllib.parse import quote, urljoin, urlsplit

from tcworker.client.streaming import Head
from tcworker.client.trouble import shown
from tcworker.download.dates import seconds_between
from tcworker.download.passing import Hopeless, Passing

CONTENT = frozenset({200, 203, 206})

AS_IT_IS = "%/:=&?~#+!$,;'@()*[]"
"""What stays as it is in an address that is encoded already, more or less."""

_REDIRECTS = frozenset({301, 302, 303, 307, 308})

_PASSING = frozenset({408, 425, 429})
"""Of those that blame the client, the ones that another try may not meet."""

_LASTING = frozenset({501, 505})
"""Of those that the server blames itself for, the ones that it will go on with."""

_ADVICE = {
    401: "it must be readable without credentials",
    403: "it must be readable without credentials, and a signed address may have expired",
    404: "is the address right, and is it still there?",
    410: "it is gone for good",
}

_LONGEST_WAIT = 3600.0


class Elsewhere(Exception):
    """The content is at another address."""

    def __init__(self, url: str) -> None:
        super().__init__(shown(url))
        self.url = url


class NoSuchPart(Passing):
    """What was asked for begins behind the end; all of it may be there."""


def judge(head: Head, url: str) -> Exception:
    """What an answer without content means: L{Elsewhere}, L{Passing} or L{Hopeless}.

    Raises L{Hopeless} for another address that is none.
    """
    location = head.headers.get("location")
    if head.status in _REDIRECTS and location:
        return Elsewhere(_absolute(url, location))
    what = f"{urlsplit(url).hostname} answered {_status(head.status)}"
    if head.status == 416:
        return NoSuchPart(what)
    if head.status in _PASSING or (head.status >= 500 and head.status not in _LASTING):
        return Passing(what, wait=_wait(head))
    return Hopeless(f"{what}: {_ADVICE.get(head.status, 'is the address right?')}")


def _absolute(url: str, location: str) -> str:
    # Headers are read as Latin-1, and not every server encodes what it must.
    try:
        return urljoin(url, quote(location.encode("latin-1", "replace"), safe=AS_IT_IS))
    except ValueError as error:
        raise Hopeless(f"it leads to what is no address: {error}") from error


def _status(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def _wait(head: Head) -> float:
    """Seconds that the server wants to be left alone, as far as it says so."""
    text = head.headers.get("retry-after", "")
    if text.isascii() and text.isdigit():
        return min(_LONGEST_WAIT, float(text))
    apart = seconds_between(head.headers.get("date", ""), text)
    return min(_LONGEST_WAIT, max(0.0, apart or 0.0))
