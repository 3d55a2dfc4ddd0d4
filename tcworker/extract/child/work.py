"""Unpacks what comes in at one descriptor into what is behind another."""

from __future__ import annotations

import errno
import os
import traceback
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from importlib import import_module
from typing import BinaryIO

from tcworker.extract.child.decompression import decompressed
from tcworker.extract.child.faults import ArchiveFault, show
from tcworker.extract.child.pieces import Ahead, Pieces
from tcworker.extract.child.place import NewFile, Place
from tcworker.extract.child.quota import Quota
from tcworker.extract.child.rights import begin_no_more_processes, give_up
from tcworker.extract.child.source import Source
from tcworker.extract.child.spool import spool
from tcworker.extract.child.steppers import codec
from tcworker.extract.child.tar import Tar
from tcworker.extract.order import ARCHIVE, DISK, RIGHTS, Answer, Extracted, Order, Trouble
from tcworker.removal import remove

_IN, _OUT = 0, 3

_FULL = (errno.ENOSPC, errno.EDQUOT)


def work(order: Order) -> Answer:
    """Do it, with less rights from then on."""
    quota = Quota(order.limits, lambda: source.taken)
    source = Source(_IN)
    unpack = _way(order, source, quota)
    try:
        limits = order.limits
        give_up(order.owner, limits.megabytes, limits.memory, limits.seconds)
    except OSError as error:
        return Trouble(RIGHTS, str(error))
    try:
        if order.again:
            _empty(_OUT)
        unpack()
        return Extracted(quota.entries, quota.bytes)
    except ArchiveFault as fault:
        return Trouble(ARCHIVE, str(fault))
    except MemoryError:
        return Trouble(ARCHIVE, f"it takes more than {order.limits.memory} MB of memory to be unpacked")
    except OSError as error:
        return _of(error, order)
    except Exception as error:
        # It is read by many, and each has its own idea of what is wrong with it.
        traceback.print_exc()
        return Trouble(ARCHIVE, f"it cannot be read: {type(error).__name__}")


def _of(error: OSError, order: Order) -> Trouble:
    name = error.filename
    where = f"{show(name)}: " if isinstance(name, bytes) else ""
    if error.errno in _FULL:
        return Trouble(DISK, f"{where}{error.strerror}")
    if error.errno == errno.EFBIG:
        return Trouble(ARCHIVE, f"{where}it takes more than {order.limits.megabytes} MB (mounts.maxExtractedMegabytes)")
    return Trouble(ARCHIVE, f"{where}it cannot be made: {error.strerror}")


def _way(order: Order, source: Source, quota: Quota) -> Callable[[], None]:
    """Load all that it takes, for later it may not be found, and give what then unpacks."""
    if not order.into_folder:
        return partial(_into_file, _pieces(order, source), quota)
    place = Place(_OUT, quota)
    if order.form == "zip":
        # Of the code page that names of old are in, Python loads the table when it is first needed.
        import_module("encodings.cp437")
        from tcworker.extract.child.zip_archive import unpack_zip

        return partial(_spooled, unpack_zip, source, place)
    if order.form == "7z":
        # The library loads this when it reads the first file.
        import_module("psutil")
        from tcworker.extract.child.seven_zip import unpack_7z

        return partial(_spooled, unpack_7z, source, place)
    if order.form == "tar":
        return partial(_plain, source, place, quota)
    return partial(_compressed, _pieces(order, source), place, quota)


def _pieces(order: Order, source: Source) -> Iterator[bytes]:
    form = order.form.removeprefix("tar.")
    return decompressed(form, codec(form, order.limits.memory), source.read)


def _into_file(pieces: Iterable[bytes], quota: Quota) -> None:
    begin_no_more_processes()
    quota.entry()
    file = NewFile(_OUT, quota)
    for piece in pieces:
        file.write(piece)


def _spooled(unpack: Callable[[BinaryIO, Place], None], source: Source, place: Place) -> None:
    begin_no_more_processes()
    unpack(spool(source, _OUT), place)


def _plain(source: Source, place: Place, quota: Quota) -> None:
    begin_no_more_processes()
    Tar(Pieces(iter(source.read, b"")), place, quota).unpack()


def _compressed(pieces: Iterable[bytes], place: Place, quota: Quota) -> None:
    ahead = Ahead(pieces)
    begin_no_more_processes()
    ahead.begin()
    Tar(Pieces(ahead), place, quota).unpack()


def _empty(folder: int) -> None:
    for name in os.listdir(folder):
        remove(name, folder)
