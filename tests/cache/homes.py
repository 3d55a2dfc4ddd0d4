"""What whatever makes folders of caches must do: the worker's own folders, those in memory, and platforms."""

from __future__ import annotations

from typing import Any, Protocol

from tcworker.cache.homes import Home
from tcworker.interfaces import ICacheFolder


class HomeCase(Protocol):
    """A test case with a home; C{again} gives that of the next worker."""

    home: Home

    def again(self) -> Home: ...

    def there(self) -> int:
        """How many folders there are, known or not."""

    def done(self, deferred: Any) -> Any: ...

    def assertEqual(self, first: Any, second: Any) -> None: ...

    def assertIsNone(self, obj: Any) -> None: ...


class HomeContract:
    """For test cases as L{HomeCase}."""

    def test_a_new_one_is_found_again(self: HomeCase) -> None:
        made: ICacheFolder = self.done(self.home.new("checkouts"))
        found = self.done(self.again().find("checkouts", dict(made.details)))
        self.assertEqual((found.name, found.path, found.details), ("checkouts", made.path, made.details))

    def test_one_that_is_deleted_is_not(self: HomeCase) -> None:
        made = self.done(self.home.new("checkouts"))
        self.done(made.delete())
        self.done(made.delete())
        self.assertEqual(self.there(), 0)
        self.assertIsNone(self.done(self.again().find("checkouts", dict(made.details))))

    def test_two_of_one_name_are_apart(self: HomeCase) -> None:
        one, two = self.done(self.home.new("checkouts")), self.done(self.home.new("checkouts"))
        self.done(one.delete())
        self.assertEqual(self.there(), 1)
        self.assertEqual(self.done(self.again().find("checkouts", dict(two.details))).path, two.path)

    def test_a_sweep_takes_what_nobody_found(self: HomeCase) -> None:
        one, _two = self.done(self.home.new("checkouts")), self.done(self.home.new("checkouts"))
        later = self.again()
        self.done(later.find("checkouts", dict(one.details)))
        self.done(later.new("checkouts"))
        self.done(later.sweep())
        self.assertEqual(self.there(), 2)

    def test_a_sweep_takes_nothing_of_ours(self: HomeCase) -> None:
        self.done(self.home.new("checkouts"))
        self.done(self.home.sweep())
        self.assertEqual(self.there(), 1)

    def test_a_new_one_takes_next_to_nothing(self: HomeCase) -> None:
        made = self.done(self.home.new("checkouts"))
        self.assertEqual(self.done(made.measure()) // 65536, 0)
        self.assertEqual(made.size // 65536, 0)
