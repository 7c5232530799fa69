"""Reads the WAL index, SQLite's shared memory file, without SQLite (sqlite.org/walformat.html).

It is read through SQLite's own descriptor: opening and closing the file once more would release all locks that this
process has on it (sqlite.org/howtocorrupt.html, section 2.2).
"""

from __future__ import annotations

import os
import struct
from typing import Final, NamedTuple

# Two copies of the header, then the state of checkpoints, in the machine's byte order.
_HEADER_BYTES: Final = 48
_HEADER: Final = struct.Struct("=12xBxHI12x8s8x")  # is initialized, page size, frames, salts
_CHECKPOINTS: Final = struct.Struct("=I28xI")  # frames copied, frames that a checkpoint began to copy
_BYTES: Final = 2 * _HEADER_BYTES + _CHECKPOINTS.size

LOG_HEADER_BYTES: Final = 32
FRAME_HEADER_BYTES: Final = 24


class WalIndex(NamedTuple):
    """``frames``: committed frames in the log. ``frame_bytes``: the size of a frame in the file."""

    frame_bytes: int
    frames: int
    salts: bytes
    copied: int
    attempted: int

    @property
    def log_bytes(self) -> int:
        """The minimum size of the log's file."""
        return LOG_HEADER_BYTES + self.frames * self.frame_bytes if self.frames else 0

    @property
    def checkpoint(self) -> tuple[bytes, int, int]:
        """Changes when a checkpoint starts to write to the database file, and when it ends."""
        return self.salts, self.copied, self.attempted

    @property
    def is_settled(self) -> bool:
        """Whether no checkpoint is running or was interrupted."""
        return self.copied == self.attempted


def open_descriptor(path: str) -> int | None:
    """A descriptor of this file that the process has open; ``None`` where the system cannot list them."""
    wanted = os.stat(path)
    try:
        names = os.listdir("/dev/fd")
    except OSError:
        return None
    for name in names:
        try:
            found = os.fstat(int(name))
        except OSError:  # the descriptor of the listing itself
            continue
        if os.path.samestat(found, wanted):
            return int(name)
    return None


def read_wal_index(descriptor: int) -> WalIndex | None:
    """``None`` while another process writes it, or where it is not initialized."""
    try:
        content = os.pread(descriptor, _BYTES, 0)
    except OSError:
        return None
    if len(content) < _BYTES or content[:_HEADER_BYTES] != content[_HEADER_BYTES : 2 * _HEADER_BYTES]:
        return None
    initialized, page_bytes, frames, salts = _HEADER.unpack_from(content)
    if not initialized:
        return None
    copied, attempted = _CHECKPOINTS.unpack_from(content, 2 * _HEADER_BYTES)
    page_bytes = 65536 if page_bytes == 1 else page_bytes
    return WalIndex(FRAME_HEADER_BYTES + page_bytes, frames, salts, copied, attempted)
