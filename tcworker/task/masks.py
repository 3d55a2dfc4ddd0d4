"""What is masked in logs: what the operator says, what the worker knows, and what features find out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from tcworker.interfaces import JSON
from tcworker.line_pattern import LinePattern, compile_pattern
from tcworker.task.log_pump import SMALL
from tcworker.task.masking import Masker
from tcworker.task.secret_forms import forms_of


@dataclass(frozen=True)
class LogMasks:
    """What is masked in one log, or in all of a worker's.

    @ivar literals: as they are looked for; more may be added at any time, and none is taken away.
    @ivar patterns: by their texts.
    """

    literals: list[bytes] = field(default_factory=list, repr=False)
    patterns: Mapping[str, LinePattern] = field(default_factory=dict, repr=False)

    @classmethod
    def from_config(cls, entries: Sequence[JSON]) -> LogMasks:
        """Read C{logs.mask}, which was checked: texts, and C{{"pattern": "…"}}."""
        masks = cls().with_patterns([entry["pattern"] for entry in entries if isinstance(entry, Mapping)])
        for entry in entries:
            if isinstance(entry, str):
                masks.add(forms_of(entry))
        return masks

    @property
    def is_slow(self) -> bool:
        """Whether masking takes longer than compressing, so that the worker would hesitate."""
        return bool(self.patterns)

    @property
    def at_once(self) -> int:
        """Up to how many bytes are masked where that is called for, and no thread is asked."""
        return 0 if self.is_slow else SMALL

    def add(self, literals: Iterable[bytes]) -> Sequence[bytes]:
        """Mask some more, and give those that were not masked before."""
        known = set(self.literals)
        new = [literal for literal in literals if literal not in known]
        self.literals.extend(new)
        return new

    def hide(self, text: str) -> str:
        """Give a text of the worker's own as it may be published outside of the log."""
        masker = Masker(self.literals, list(self.patterns.values()))
        data = text.encode(errors="surrogateescape")
        return (masker.feed(data) + masker.flush()).decode(errors="replace")

    def with_own(self, literals: Iterable[bytes]) -> LogMasks:
        """Give those of a log that begins with some more; what is added to either is not in the other."""
        own = LogMasks(list(self.literals), self.patterns)
        own.add(literals)
        return own

    def with_patterns(self, texts: Iterable[str]) -> LogMasks:
        """Give those of a log in which more patterns are masked. Raises L{tcworker.line_pattern.PatternFault}."""
        new = {text: compile_pattern(text) for text in texts if text not in self.patterns}
        return LogMasks(list(self.literals), {**self.patterns, **new})
