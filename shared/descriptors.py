"""File descriptors: how many this process may open, and how many connections they allow."""

from __future__ import annotations

import logging
import os
import resource
from typing import Final, NamedTuple

# Spare descriptors for temporary files, wake-ups, connections that are refused: 16, and a 64th of the limit.
_SPARE: Final = 16
_SPARE_DIVISOR: Final = 64

log = logging.getLogger(__name__)


def raise_file_limit() -> None:
    """Raise the soft limit of open files, often 1024, to the hard limit."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class ConnectionLimits(NamedTuple):
    """``kept``: connections that may stay open. ``accepted``: those and the new ones that are not yet served or refused."""

    kept: int
    accepted: int


def connection_limits(max_connections: int) -> ConnectionLimits:
    """``max_connections``, or fewer where the file descriptors are too few; then a warning is logged.

    Call it once everything except connections is open.
    """
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit == resource.RLIM_INFINITY:
        free = 2 * max_connections + 2
    else:
        free = max(2, limit - _open_descriptors() - _SPARE - limit // _SPARE_DIVISOR)
    kept = min(max_connections, free - 1 - free // 16)
    if kept < max_connections:
        log.warning(
            "at most %d connections, not MAX_CONNECTIONS=%d: a process may have %d files open here (ulimit -Hn)",
            kept,
            max_connections,
            limit,
        )
    return ConnectionLimits(kept, min(free, kept + max(256, kept // 16)))


def _open_descriptors() -> int:
    return len(os.listdir("/dev/fd")) - 1  # minus the one that lists the folder
