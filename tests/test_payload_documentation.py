"""docs/payload.md has a row for each property of the payload, and docs/payload-schema.json is the schema."""

from __future__ import annotations

import re

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tcworker.schemas import acceptance_of, as_text
from tests.documented_tests import DOCS
from tests.payload_table import properties, rows

SCOPE = re.compile(r"generic-worker:[a-z-]+:")


class Documentation(SynchronousTestCase):
    """The document, and the schema of a worker as it is by default."""

    def setUp(self) -> None:
        self.schema = acceptance_of(Clock()).schemas["native"]
        self.properties = {(each.table, each.path): each for each in properties(self.schema.schema)}
        self.rows = list(rows())

    def test_each_property_has_a_row(self) -> None:
        self.assertEqual(sorted((row.table, row.path) for row in self.rows), sorted(self.properties))

    def test_type_default_and_limits_are_those_of_the_schema(self) -> None:
        for row in self.rows:
            self.assertEqual(row.cells, self.properties[row.table, row.path].cells, row.path)

    def test_each_says_what_it_means(self) -> None:
        self.assertEqual([row.path for row in self.rows if not row.meaning.endswith((".", ")."))], [])

    def test_each_scope_is_told(self) -> None:
        for row in self.rows:
            described = self.properties[row.table, row.path].schema["description"]
            self.assertEqual(SCOPE.findall(row.scope), SCOPE.findall(described), row.path)

    def test_each_has_tests_that_there_are(self) -> None:
        for row in self.rows:
            self.assertTrue(row.tests, row.path)
            self.assertEqual([test for test in row.tests if not test.exists], [], row.path)

    def test_the_published_schema_is_the_one_that_is_used(self) -> None:
        published = (DOCS / "payload-schema.json").read_text()
        self.assertEqual(published, as_text(self.schema) + "\n", "make schema writes it anew")
