"""What docstrings cite of the contracts is in docs/contracts.md."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("tcworker", "tests", "examples", "bench", "tac", "twisted")

CITATION = re.compile(r"contracts of (?:the )?(queue|generic-worker),?((?:,? ?(?:section|and|to)? ?\d+(?:\.\d+)?)+)")
HEADING = re.compile(r"^### (Queue|Generic-worker) ([\d.]+) ", re.MULTILINE)

Section = tuple[str, str]


def citations(text: str) -> Iterator[Section]:
    """The sections that a text cites; C{3.1 to 3.4} are four."""
    # Citations go on in the next line of a docstring or comment.
    for whose, numbers in CITATION.findall(re.sub(r"\s*\n\s*#? ?", " ", text)):
        cited = re.sub(r"(\d+)\.(\d+) to \d+\.(\d+)", _all_between, numbers)
        yield from ((whose, number) for number in re.findall(r"\d+(?:\.\d+)?", cited))


def _all_between(found: re.Match[str]) -> str:
    chapter, first, last = found.groups()
    return ", ".join(f"{chapter}.{number}" for number in range(int(first), int(last) + 1))


class Contracts(SynchronousTestCase):
    def setUp(self) -> None:
        text = (ROOT / "docs" / "contracts.md").read_text()
        self.sections = {(whose.lower(), number) for whose, number in HEADING.findall(text)}
        files = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py") if path != Path(__file__)]
        self.cited = {section: path for path in files for section in citations(path.read_text())}

    def test_every_section_that_is_cited_is_there(self) -> None:
        self.assertEqual(
            {section: str(path) for section, path in self.cited.items() if section not in self.sections}, {}
        )

    def test_the_citations_are_found(self) -> None:
        self.assertGreater(len(self.cited), 20)
        self.assertEqual(
            list(
                citations(
                    "(contracts of the queue, 1.3, 3.1 to 3.3\n    and 1.10); contracts of generic-worker, section 6."
                )
            ),
            [
                ("queue", "1.3"),
                ("queue", "3.1"),
                ("queue", "3.2"),
                ("queue", "3.3"),
                ("queue", "1.10"),
                ("generic-worker", "6"),
            ],
        )

    def test_no_citation_is_of_another_form(self) -> None:
        for path in {path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")} - {Path(__file__)}:
            text = re.sub(r"\s*\n\s*#? ?", " ", path.read_text())
            odd = [
                text[at.start() : at.start() + 60]
                for at in re.finditer(r"contracts? of the queue|contracts of gen", text)
                if not CITATION.match(text, at.start())
            ]
            self.assertEqual(odd, [], path)
