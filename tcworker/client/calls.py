"""One call of Taskcluster on its way there and back: what is sent, and what an answer says; no I/O."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tcworker.client.answers import check
from tcworker.client.http import Answer
from tcworker.client.routes import Route
from tcworker.client.trouble import UnexpectedAnswer, without_queries
from tcworker.errors import CallFailed
from tcworker.interfaces import JSON


@dataclass
class Call:
    """One call, ready to be made as often as it takes.

    @ivar target: path and query.
    @ivar content: what it is given, C{None} if it takes nothing.
    @ivar given_up: whether nobody wants its answer any more.
    """

    name: str
    method: str
    target: str
    content: JSON = field(repr=False)
    body: bytes | None = field(repr=False)
    given_up: bool = False


def prepare(route: Route, arguments: Sequence[JSON], query: Mapping[str, JSON]) -> Call:
    """Make a call's request. Raises C{TypeError} for arguments that the call does not have.

    @param arguments: of the route, in its order, and the body if it takes one.
    @param query: in snake_case.
    """
    expected = len(route.arguments) + route.has_body
    if len(arguments) != expected:
        wanted = ", ".join([*route.arguments, *(["body"] if route.has_body else [])])
        raise TypeError(f"{route.name} takes ({wanted}), got {len(arguments)} arguments")
    body = json.dumps(arguments[-1], separators=(",", ":")).encode() if route.has_body else None
    target = route.path(arguments[: len(route.arguments)]) + route.query_string(query)
    return Call(route.name, route.method, target, arguments[-1] if route.has_body else None, body)


def judge(call: Call, answer: Answer, content: JSON) -> JSON:
    """Give what an answer holds, C{None} if it is empty.

    Raises L{CallFailed}, or L{UnexpectedAnswer} for what Taskcluster does not answer to this call.
    """
    if answer.status < 400:
        check(call.name, answer.status, content, call.content)
        return content
    words = content if isinstance(content, dict) else {}
    message = str(words.get("message") or words.get("error") or "no reason given").split("\n\n---\n")[0].strip()
    # Error artifacts have a reason where errors of the API have a code.
    code = str(words.get("code") or words.get("reason") or "")
    raise CallFailed(call.name, answer.status, code, without_queries(message))


def content_of(call: Call, answer: Answer) -> JSON:
    """The JSON of an answer; C{None} if it is empty, or says that something failed in another language.

    Raises L{UnexpectedAnswer}: what is none comes from something on the way to Taskcluster, even if it is a success.
    """
    try:
        return json.loads(answer.body) if answer.body else None
    except ValueError:
        if answer.status >= 400:
            return None
        kind = answer.headers.get("content-type", "something")
        raise UnexpectedAnswer(call.name, f"answered {answer.status} with {kind} where JSON was expected") from None
    except RecursionError:
        # A task's payload may be as deep as its author likes, and comes with a claim.
        raise UnexpectedAnswer(call.name, f"answered {answer.status} with JSON nested too deeply to be read") from None
