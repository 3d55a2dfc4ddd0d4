"""Which kinds of archives and compressed files can be read, by the names that a payload has for them.

Contracts of generic-worker, 1.
"""

from __future__ import annotations

from collections.abc import Mapping

from tcworker.errors import MalformedPayload

FILE_FORMATS = frozenset({"br", "bz2", "gz", "lz", "lz4", "sz", "xz", "zst", "zz"})
"""Of a single file."""

FOLDER_FORMATS = frozenset({"tar", *(f"tar.{form}" for form in FILE_FORMATS), "zip", "7z"})
"""Of an archive."""

_ADVICE: Mapping[str, str] = {"rar": "zip or tar.zst", "mz": "zst", "tar.mz": "tar.zst"}


def check_file_format(form: str) -> None:
    """See that a compressed file of this format can be read. Raises L{MalformedPayload}."""
    _check(form, FILE_FORMATS)


def check_folder_format(form: str) -> None:
    """See that an archive of this format can be read. Raises L{MalformedPayload}."""
    _check(form, FOLDER_FORMATS)


def _check(form: str, known: frozenset[str]) -> None:
    if form not in known:
        advice = f": use {_ADVICE[form]}" if form in _ADVICE else ""
        raise MalformedPayload(
            f"this worker cannot read the format {form}{advice}; it reads {', '.join(sorted(known))}"
        )
