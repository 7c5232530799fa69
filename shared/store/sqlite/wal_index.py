"""What SQLite's shared memory says of the write-ahead log, read without SQLite (sqlite.org/walformat.html).

It is read through SQLite's own descriptor: to open and close the file once more would take away all the locks that this
process has on it (sqlite.org/howtocorrupt.html, section 2.2).
"""

from __future__ import annotations

import os
import struct
from typing import Final, NamedTuple

# The header stands twice, and what is known of checkpoints follows. All in the machine's byte order.
_HEADER_BYTES: Final = 48
_HEADER: Final = struct.Struct("=12xBxHI12x8s8x")  # whether it is made, page size, frames, salts
_CHECKPOINTS: Final = struct.Struct("=I28xI")  # frames that were copied, frames that somebody began to copy
_BYTES: Final = 2 * _HEADER_BYTES + _CHECKPOINTS.size

LOG_HEADER_BYTES: Final = 32
FRAME_HEADER_BYTES: Final = 24


class WalIndex(NamedTuple):
    """``frames`` are those that are committed in the log; ``frame_bytes`` is the size of one in its file."""

    frame_bytes: int
    frames: int
    salts: bytes
    copied: int
    attempted: int

    @property
    def log_bytes(self) -> int:
        """As long as the log's file must be at least."""
        return LOG_HEADER_BYTES + self.frames * self.frame_bytes if self.frames else 0

    @property
    def checkpoint(self) -> tuple[bytes, int, int]:
        """Changes whenever a checkpoint begins to write to the database, and when it has ended."""
        return self.salts, self.copied, self.attempted

    @property
    def is_settled(self) -> bool:
        """Whether no checkpoint is at work, or was cut short."""
        return self.copied == self.attempted


def open_descriptor(path: str) -> int | None:
    """A descriptor that this process has of that file; ``None`` where the system cannot tell."""
    wanted = os.stat(path)
    try:
        names = os.listdir("/dev/fd")
    except OSError:
        return None
    for name in names:
        try:
            found = os.fstat(int(name))
        except OSError:  # the listing's own
            continue
        if os.path.samestat(found, wanted):
            return int(name)
    return None


def read_wal_index(descriptor: int) -> WalIndex | None:
    """``None`` while somebody writes it: the next look finds it whole."""
    try:
        content = os.pread(descriptor, _BYTES, 0)
    except OSError:
        return None
    if len(content) < _BYTES or content[:_HEADER_BYTES] != content[_HEADER_BYTES : 2 * _HEADER_BYTES]:
        return None
    made, page_bytes, frames, salts = _HEADER.unpack_from(content)
    if not made:
        return None
    copied, attempted = _CHECKPOINTS.unpack_from(content, 2 * _HEADER_BYTES)
    page_bytes = 65536 if page_bytes == 1 else page_bytes
    return WalIndex(FRAME_HEADER_BYTES + page_bytes, frames, salts, copied, attempted)
