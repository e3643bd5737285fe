"""Whether a write-ahead log is whole.

SQLite reads it up to the first frame whose checksum is wrong, and takes that for the end: after a crash it is where
the last transaction was being written. So where a disk spoils a frame in the middle, every later transaction vanishes
without an error. The two can be told apart: a crash leaves at most one transaction that is not whole.
The format: https://www.sqlite.org/fileformat2.html#the_write_ahead_log
"""

import struct
from pathlib import Path
from typing import BinaryIO, NamedTuple

_HEADER = struct.Struct(">8I")
_FRAME_BYTES = 24
_MAGICS = {0x377F0682: "<", 0x377F0683: ">"}


class Journal(NamedTuple):
    """What a write-ahead log claims to hold.

    Parameters
    ----------
    is_readable
        Whether its header is right, or there is none yet.
    salts
        Name its generation: it is written from the start again when all of it is in the database.
    surely_committed
        Number of the frame of this generation that ends the last transaction but one, 0 where there is none: that one
        was whole when the next was begun.
    """

    is_readable: bool
    salts: bytes
    surely_committed: int


def read_journal(path: Path) -> Journal:
    """Read the headers of a write-ahead log; one that is missing holds nothing."""
    try:
        with path.open("rb") as file:
            header = file.read(_HEADER.size)
            if len(header) < _HEADER.size or not any(header):
                return Journal(True, b"", 0)
            if not _is_right(header):
                return Journal(False, b"", 0)
            return Journal(True, header[16:24], _surely_committed(file, _HEADER.unpack(header)[2], header[16:24]))
    except FileNotFoundError:
        return Journal(True, b"", 0)


def _surely_committed(file: BinaryIO, page_bytes: int, salts: bytes) -> int:
    last = last_but_one = number = 0
    while len(frame := file.read(_FRAME_BYTES)) == _FRAME_BYTES:
        number += 1
        if frame[8:16] == salts and any(frame[4:8]):
            last, last_but_one = number, last
        file.seek(page_bytes, 1)
    return last_but_one


def _is_right(header: bytes) -> bool:
    order = _MAGICS.get(_HEADER.unpack(header)[0])
    if order is None:
        return False
    first = second = 0
    for one, two in struct.iter_unpack(f"{order}2I", header[:24]):
        first = (first + one + second) & 0xFFFFFFFF
        second = (second + two + first) & 0xFFFFFFFF
    return (first, second) == _HEADER.unpack(header)[6:]
