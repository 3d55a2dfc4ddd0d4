"""Rows by the names of their columns."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from twisted.trial.unittest import SynchronousTestCase

from tcworker.embedded import rows


@dataclass(frozen=True)
class Animal:
    name: str
    legs: tuple[int, ...]
    sound: str | None = None


class Rows(SynchronousTestCase):
    def setUp(self) -> None:
        self.connection = sqlite3.connect(":memory:")
        self.connection.row_factory = sqlite3.Row
        self.addCleanup(self.connection.close)
        # In another order than the fields, and with more than they.
        self.connection.execute("CREATE TABLE animals (sound TEXT, id INTEGER, legs TEXT, name TEXT UNIQUE)")

    def animals(self) -> list[Animal]:
        found = self.connection.execute("SELECT * FROM animals ORDER BY name")
        return [rows.read(Animal, row, legs=tuple(map(int, row["legs"].split()))) for row in found]

    def test_what_is_kept_is_read_whatever_the_order_of_the_columns(self) -> None:
        dog = Animal("dog", (1, 2), "woof")
        rows.add(self.connection, "animals", {**vars(dog), "legs": "1 2"})
        self.assertEqual(self.animals(), [dog])

    def test_what_is_not_given_is_left_to_the_table(self) -> None:
        rows.add(self.connection, "animals", {"name": "fish", "legs": ""})
        self.assertEqual(self.animals(), [Animal("fish", ())])

    def test_a_row_takes_the_place_of_another_only_when_it_is_put(self) -> None:
        for sound in ("meow", "purr"):
            rows.put(self.connection, "animals", {"name": "cat", "legs": "4", "sound": sound})
        self.assertEqual([animal.sound for animal in self.animals()], ["purr"])
        self.assertRaises(sqlite3.IntegrityError, rows.add, self.connection, "animals", {"name": "cat", "legs": "4"})
