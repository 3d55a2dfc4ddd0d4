"""The page's own parsers, each fed by itself in the browser."""

from __future__ import annotations

import re
from typing import Any

from tcworker.embedded.schemas import SLUGID
from tests.integration.page_case import PageTestCase, in_thread

ANSI = """
const ansi = new module.Ansi();
const on = ([, value]) => value !== null && value !== false;
const worn = ({text, style}) => [text, Object.fromEntries(Object.entries(style).filter(on))];
return given.map((line) => ansi.parse(line).map(worn));
"""

LINES = """
const lines = new module.Lines();
return [given.flatMap((text) => lines.add(text)).map(module.shown), module.shown(lines.open)];
"""


class Modules(PageTestCase):
    def run_in(self, module: str, body: str, given: Any = None) -> Any:
        script = (
            "const [path, given, done] = arguments;"
            f"import(path).then((module) => {{ {body} }}).then(done, (error) => done(String(error)));"
        )
        return self.browser.driver.execute_async_script(script, f"/page/{module}.js", given)

    @in_thread
    def test_each(self) -> None:
        self.open(None)
        self._styles()
        self._lines()
        self._names()

    def _styles(self) -> None:
        for line, expected in (
            ("plain", [["plain", {}]]),
            ("\x1b[31mred\x1b[39m not", [["red", {"color": 1}], [" not", {}]]),
            (
                "\x1b[1;4mboth\x1b[22mone\x1b[mnone",
                [["both", {"bold": True, "underline": True}], ["one", {"underline": True}], ["none", {}]],
            ),
            ("\x1b[97;104mbright", [["bright", {"color": 15, "background": 12}]]),
            (
                "\x1b[38;5;9mnine\x1b[38;5;196mcube\x1b[38;5;255mgrey",
                [["nine", {"color": 9}], ["cube", {"color": "rgb(255 0 0)"}], ["grey", {"color": "rgb(238 238 238)"}]],
            ),
            ("\x1b[48;2;1;999;3mtrue", [["true", {"background": "rgb(1 255 3)"}]]),
            ("\x1b[38;2;red;);url(x)mtext", [["ed;);url(x)mtext", {}]]),
            (
                "\x1b[2K\x1b[1Aa\x1b]0;title\x07b\x1b]8;;http://x\x1b\\c\x1b(Bd\x07\x00e\x9b",
                [["a", {}], ["b", {}], ["c", {}], ["d", {}], ["e", {}]],
            ),
            ("\x1b[38m\x1b[38;5m\x1b[48;2mcut short", [["cut short", {"color": 0, "background": "rgb(0 0 0)"}]]),
            ("\x1b[", []),
        ):
            self.assertEqual(self.run_in("ansi", ANSI, [line]), [expected], repr(line))
        self.assertEqual(self.run_in("ansi", ANSI, ["\x1b[32mgreen", "still"])[1], [["still", {"color": 2}]])

    def _lines(self) -> None:
        for pieces, expected in (
            (["a\nb", "c\n", "d"], [["a", "bc"], "d"]),
            (["1 %\r50 %\r100 %\r\n", "2 %\r"], [["100 %"], "2 %"]),
            (["x" * 20_000], [["x" * 8192] * 2, "x" * (20_000 - 2 * 8192)]),
            (["", "\n\n"], [["", ""], ""]),
        ):
            self.assertEqual(self.run_in("lines", LINES, pieces), expected)

    def _names(self) -> None:
        for name in self.run_in("slugid", "return Array.from({length: 200}, module.newSlugid)"):
            self.assertTrue(re.fullmatch(SLUGID, name) and not name.startswith("-"), name)
