"""Forms that texts in payloads have."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tcworker.task.forms import is_artifact_name


class ArtifactNames(SynchronousTestCase):
    """What the queue takes."""

    def test_printable_ascii_of_limited_length(self) -> None:
        for name, fits in {"a b/c~": True, "é": False, "a\n": False, "x" * 1024: True, "x" * 1025: False}.items():
            self.assertEqual(is_artifact_name(name), fits, name)
