"""A server of archives in a process of its own, so that its work is not counted as anybody else's.

Run as a program it serves a folder, prints its port, and ends when its standard input does. What is asked for as
C{/slow/SECONDS/NAME} takes so many seconds to come, whatever else is asked for.
"""

from __future__ import annotations

import random
import subprocess
import sys
import sysconfig
import tarfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import IO

from backports import zstd

_A_FOLDER = 1000
"""Files that lie beside each other at most."""

_POOL = 16 << 20
_SLOWLY = 100
"""Parts in which something comes that takes its time."""


def make_archive(path: Path, files: int, size: int) -> None:
    """Make a tar.zst of so many files of so many bytes each, of what software is made of."""
    pool, chance = _pool(), random.Random(8)
    with zstd.open(path, "wb") as packed, tarfile.open(fileobj=packed, mode="w|") as archive:
        for number in range(files):
            info = tarfile.TarInfo(f"top/{number // _A_FOLDER}/{number}")
            info.size = size
            at = chance.randrange(len(pool) - size)
            archive.addfile(info, BytesIO(pool[at : at + size]))


def _pool() -> bytes:
    """Give programs and modules of this Python, or the same once more where it has few."""
    pool = bytearray()
    for path in sorted(Path(sysconfig.get_path("stdlib")).rglob("*.[ps][yo]")):
        if len(pool) < _POOL:
            pool += path.read_bytes()
    return bytes(pool * (_POOL // len(pool) + 1))


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Serve a folder while the block runs; gives the address."""
    command = [sys.executable, str(Path(__file__)), str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None and process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.stdin.close()


class Files(SimpleHTTPRequestHandler):
    """Files of a folder."""

    protocol_version = "HTTP/1.1"

    def translate_path(self, path: str) -> str:
        """Give where something is that is asked for."""
        return super().translate_path("/" + path.rpartition("/")[2])

    def copyfile(self, source: IO[bytes], outputfile: IO[bytes]) -> None:  # type: ignore[override]  # bytes in any case
        """Send it."""
        _, how, *rest = self.path.split("/")
        if how != "slow":
            super().copyfile(source, outputfile)
            return
        content, seconds, begun = source.read(), float(rest[0]), time.monotonic()
        for part in range(_SLOWLY):
            outputfile.write(content[len(content) * part // _SLOWLY : len(content) * (part + 1) // _SLOWLY])
            # By the clock: each of many that sleep at one time wakes a little late.
            time.sleep(max(0.0, begun + seconds * (part + 1) / _SLOWLY - time.monotonic()))

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def main(folder: str) -> None:
    """Serve until standard input ends."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Files, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_port, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main(sys.argv[1])
