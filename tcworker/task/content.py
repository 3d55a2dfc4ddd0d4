"""What an artifact is by the path of its file: content type and encoding (contracts of generic-worker, 3); pure."""

from __future__ import annotations

from tcworker.task.content_types import TYPES

UNKNOWN = "application/octet-stream"

# As the reference worker has it; its other texts get a charset.
_WITHOUT_CHARSET = frozenset((".log",))

_COMPRESSED = (
    "7z br aab apk bz2 deb dmg flv gif gz jar jpeg jpg lz lz4 mz npz pkg png swf sz tbz tgz wasm webp whl "
    "woff woff2 xpi xz zip zst zz"
)
_IDENTITY = frozenset(f".{extension}" for extension in _COMPRESSED.split())


def content_type(path: str, name: str = "") -> str:
    """Tell the content type by the extension, whatever its case; texts are taken to be UTF-8.

    @param name: of the artifact, which says it where the path does not.
    """
    extension = next((known for known in map(_lowered, (path, name)) if known in TYPES), "")
    kind = TYPES.get(extension, UNKNOWN)
    if kind.startswith("text/") and extension not in _WITHOUT_CHARSET:
        return f"{kind}; charset=utf-8"
    return kind


def content_encoding(path: str) -> str:
    """Tell the encoding by the extension, whose case matters: C{identity} for what is compressed, else C{gzip}."""
    return "identity" if _extension(path) in _IDENTITY else "gzip"


def _lowered(path: str) -> str:
    return _extension(path).lower()


def _extension(path: str) -> str:
    """From the last dot of the last part of a path, with the dot; empty without one."""
    _, dot, extension = path.rpartition("/")[2].rpartition(".")
    return dot + extension if dot else ""
