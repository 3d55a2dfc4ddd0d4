"""What befalls requests on their way, decided by a seed and the name of each: the same one fares alike each time.

Tasks of a seed have the same ids each time, so that what befalls them does not depend on who comes first.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from random import Random


class Fate(Enum):
    """What happens to a request and its answer.

    Those that end with C{AFTER} and C{TRUNCATED} have taken effect, the others that do not pass have not.
    """

    PASSES = "passes"
    DELAYED = "its answer comes late"
    DROPPED = "the connection is closed in place of an answer"
    RESET_BEFORE = "the connection is reset, nobody saw the request"
    RESET_AFTER = "the connection is reset when it has taken effect"
    ERROR_BEFORE = "500 from something on the way"
    ERROR_AFTER = "500 when it has taken effect"
    TRUNCATED = "the answer ends in the middle"
    CUT = "the connection is reset when half of its body has come"
    IMPOSTOR = "200 from somebody who is not the server"


Decide = Callable[["Call"], Fate]

_RUN = re.compile(r"/(?P<task>[\w-]{22})/(?:runs/)?(?P<run>\d+)/(?P<what>\w+)")

_NAMES: Mapping[tuple[str, str], str] = {
    ("POST", "reclaim"): "reclaimTask",
    ("POST", "completed"): "reportCompleted",
    ("POST", "failed"): "reportFailed",
    ("POST", "exception"): "reportException",
    ("POST", "artifacts"): "createArtifact",
    ("PUT", "artifacts"): "finishArtifact",
}

_ANSWERED_WITH_NOTHING = {"put", "get", "finishUpload", "finishArtifact"}


@dataclass(frozen=True)
class Call:
    """A request, as far as it can be told without its body.

    @ivar path: decoded, without the query.
    @ivar length: of its body, in bytes.
    """

    method: str
    path: str
    length: int = 0

    @property
    def name(self) -> str:
        """What it is called: the name of a call of the queue, or C{put} for an upload to the storage."""
        if self.path.startswith("/storage/"):
            return "put" if self.method == "PUT" else "get"
        if "/claim-work/" in self.path:
            return "claimWork"
        if self.path.startswith("/api/object/"):
            return "createUpload" if self.method == "PUT" else "finishUpload"
        if (found := _RUN.search(self.path)) and (name := _NAMES.get((self.method, found["what"]))):
            return name
        return self.path.rpartition("/")[2] if self.path.startswith("/api/") else "other"

    @property
    def task_id(self) -> str | None:
        """The task that it is about, if it is about one's run."""
        found = _RUN.search(self.path)
        return found["task"] if found else None

    def suits(self, fate: Fate) -> bool:
        """Whether that can befall it, and be told from success by who sent it."""
        if fate is Fate.CUT:
            return self.length > 0
        # Whoever takes an upload says no more than that. Nobody can know that it was somebody else.
        return fate is not Fate.IMPOSTOR or self.name not in _ANSWERED_WITH_NOTHING


class Chances:
    """Decides what befalls each request: by its name, and how often it has come.

    @param share: of the requests that do not simply pass.
    """

    def __init__(self, seed: object, share: float) -> None:
        self._seed = seed
        self._share = share
        self._came: Counter[tuple[str, str]] = Counter()

    def __call__(self, call: Call) -> Fate:
        self._came[call.method, call.path] += 1
        chance = Random(f"{self._seed} {call.method} {call.path} {self._came[call.method, call.path]}")
        if chance.random() >= self._share:
            return Fate.PASSES
        return chance.choice([fate for fate in Fate if fate is not Fate.PASSES and call.suits(fate)])


class Planned:
    """Lets chosen calls about chosen tasks meet a fate, the first time that each is made.

    @ivar left: what has not happened yet, by task and name of call.
    """

    def __init__(self, plan: Mapping[tuple[str, str], Fate]) -> None:
        self.left = dict(plan)

    def __call__(self, call: Call) -> Fate:
        return self.left.pop((call.task_id or "", call.name), Fate.PASSES)
