"""Long lists, a page at a time."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tcworker.embedded.paging import one_page, page_of, token_of


class Pages(SynchronousTestCase):
    def test_a_token_leads_on(self) -> None:
        self.assertEqual(page_of({"limit": "3", "continuationToken": token_of("ä/b")}), (3, "ä/b"))

    def test_a_page_says_whether_there_is_more(self) -> None:
        items = [("a", 1), ("b", 2), ("c", 3)]
        page = one_page("things", items, 2)
        self.assertEqual(page["things"], [1, 2])
        self.assertEqual(page_of({"continuationToken": page["continuationToken"]})[1], "b")
        self.assertEqual(one_page("things", items, 3), {"things": [1, 2, 3]})
        self.assertEqual(one_page("things", [], 3), {"things": []})

    def test_nonsense_starts_from_the_beginning(self) -> None:
        self.assertEqual(page_of({"limit": "5000", "continuationToken": "ü"}), (1000, ""))
        self.assertEqual(page_of({}), (1000, ""))
