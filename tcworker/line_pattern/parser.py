"""Reads a pattern: what Python's regular expressions have, as far as it can be matched in bounded time; pure."""

from __future__ import annotations

import re
from collections.abc import Callable

from tcworker.line_pattern.tree import ANY, Byte, Chain, Choice, Edge, Node, Repeat

_NEWLINE = 1 << 10
_DEEPEST = 20
_MOST_TIMES = 1000
_REPEAT = re.compile(r"([*+?])|\{(\d+)\}|\{(\d*),(\d*)\}", re.ASCII)
_SIGNS = {"*": (0, None), "+": (1, None), "?": (0, 1)}


class PatternFault(ValueError):
    """No such pattern; says what was expected."""


def _set_of(members: bytes) -> int:
    return sum(1 << byte for byte in set(members))


_DIGITS = _set_of(b"0123456789")
_WORD = _DIGITS | _set_of(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_")
_SPACE = _set_of(b" \t\n\r\f\v")
_CLASSES = {"d": _DIGITS, "w": _WORD, "s": _SPACE, "D": ANY & ~_DIGITS, "W": ANY & ~_WORD, "S": ANY & ~_SPACE}
_CONTROLS = {"t": "\t", "r": "\r", "f": "\f", "v": "\v"}
_IGNORE_CASE = "(?i)"


def parse(text: str) -> Node:
    """Read a pattern. Raises L{PatternFault}."""
    return _Parser(text).whole()


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._depth = 0
        self._ignore_case = text.startswith(_IGNORE_CASE)
        if self._ignore_case:
            self._at = len(_IGNORE_CASE)

    def whole(self) -> Node:
        found = self._choice()
        if self._at < len(self._text):
            raise self._fault("no ) without a (")
        return found

    def _fault(self, expected: str) -> PatternFault:
        return PatternFault(f"{expected} (after its character {self._at})")

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _take(self) -> str:
        taken = self._peek()
        if not taken:
            raise self._fault("something more: it ends too early")
        self._at += 1
        return taken

    def _takes(self, text: str) -> bool:
        there = self._text.startswith(text, self._at)
        self._at += len(text) if there else 0
        return there

    def _choice(self) -> Node:
        options = [self._chain()]
        while self._takes("|"):
            options.append(self._chain())
        return options[0] if len(options) == 1 else Choice(options)

    def _chain(self) -> Node:
        parts: list[Node] = []
        while self._peek() not in ("", "|", ")"):
            parts.append(self._repeated(self._atom()))
        return Chain(parts)

    def _repeated(self, body: Node) -> Node:
        times = self._times()
        if times is None:
            return body
        if isinstance(body, Edge):
            raise self._fault("no repetition of ^, $, \\b or \\B")
        lazy = self._takes("?")
        if self._takes("+") or self._times() is not None:
            raise self._fault("no repetition of a repetition: put a group between the two")
        return Repeat(body, *times, lazy)

    def _times(self) -> tuple[int, int | None] | None:
        """Take how often; C{None} if that is not what stands here."""
        found = _REPEAT.match(self._text, self._at)
        # As with Python, {} and {x} are only themselves.
        if found is None:
            return None
        self._at = found.end()
        if found[1]:
            return _SIGNS[found[1]]
        least = int(found[2] or found[3] or 0)
        most = least if found[2] else int(found[4]) if found[4] else None
        if max(least, most or 0) > _MOST_TIMES or (most is not None and most < least):
            raise self._fault(f"a repetition of up to {_MOST_TIMES} times, the lower number first")
        return least, most

    def _atom(self) -> Node:
        sign = self._take()
        special: dict[str, Callable[[], Node]] = {
            "(": self._group,
            "[": lambda: self._one_of(self._class()),
            ".": lambda: self._one_of(ANY),
            "^": lambda: Edge(b"^"),
            "$": lambda: Edge(b"$"),
            "\\": self._escape,
        }
        if sign in special:
            return special[sign]()
        if _REPEAT.match(self._text, self._at - 1):
            raise self._fault("something to be repeated before it")
        return self._character(sign)

    def _group(self) -> Node:
        if not self._takes("?:") and self._peek() == "?":
            raise self._fault("no other groups than (…) and (?:…), and (?i) only at the beginning")
        self._depth += 1
        if self._depth > _DEEPEST:
            raise self._fault(f"at most {_DEEPEST} groups in each other")
        found = self._choice()
        if not self._takes(")"):
            raise self._fault("a ) for each (")
        self._depth -= 1
        return found

    def _escape(self) -> Node:
        sign = self._take()
        if sign in _CLASSES:
            return self._one_of(_CLASSES[sign])
        if sign in ("b", "B"):
            return Edge(b"\\" + sign.encode())
        byte = self._escaped(sign)
        return self._one_of(1 << byte) if isinstance(byte, int) else self._character(byte)

    def _escaped(self, sign: str) -> str | int:
        """Give the character, or for \\xHH the byte, that an escape stands for."""
        if sign in _CONTROLS:
            return _CONTROLS[sign]
        if sign == "x":
            return self._hexadecimal()
        if sign.isascii() and sign.isalnum():
            raise self._fault("no \\ before this letter or digit: nothing refers back, and there are no newlines")
        return sign

    def _hexadecimal(self) -> int:
        digits = self._take() + self._take()
        if not re.fullmatch("[0-9a-fA-F]{2}", digits):
            raise self._fault("two hexadecimal digits after \\x")
        return int(digits, 16)

    def _class(self) -> int:
        """Take a class in brackets after its first one."""
        negated, members, begun = self._takes("^"), 0, False
        while not (begun and self._takes("]")):
            low = self._member()
            members |= low
            if self._peek() == "-" and self._text[self._at + 1 : self._at + 2] not in ("]", ""):
                self._at += 1
                members |= self._range(low, self._member())
            begun = True
        members = self._folded(members)
        return ANY & ~members if negated else members

    def _member(self) -> int:
        sign = self._take()
        if sign == "\\":
            sign = self._take()
            if sign in _CLASSES:
                return _CLASSES[sign]
            found = self._escaped(sign)
            if isinstance(found, int):
                return 1 << found
            sign = found
        if not sign.isascii():
            raise self._fault("ASCII characters only between [ and ]: name others as in (?:ä|ö)")
        return 1 << ord(sign)

    def _range(self, low: int, high: int) -> int:
        if low.bit_count() > 1 or high.bit_count() > 1 or high < low:
            raise self._fault("two characters around -, the lower one first")
        # All bits from the one to the other.
        return (high << 1) - low

    def _character(self, sign: str) -> Node:
        try:
            encoded = sign.encode()
        except UnicodeEncodeError:
            raise self._fault("text that can be written in UTF-8") from None
        parts = [self._one_of(1 << byte) for byte in encoded]
        return parts[0] if len(parts) == 1 else Chain(parts)

    def _one_of(self, members: int) -> Byte:
        members = self._folded(members) & ~_NEWLINE
        if not members:
            raise self._fault("no newlines, for it is matched within a line")
        return Byte(members)

    def _folded(self, members: int) -> int:
        """Both cases of each letter, where case does not matter."""
        if not self._ignore_case:
            return members
        # A to Z as bits 0 to 25, and a to z.
        upper = members >> ord("A") & (1 << 26) - 1
        lower = members >> ord("a") & (1 << 26) - 1
        return members | (upper | lower) << ord("A") | (upper | lower) << ord("a")
