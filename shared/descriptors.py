"""File descriptors: how many this process may have, and how many connections they are enough for."""

from __future__ import annotations

import logging
import os
import resource
from typing import Final, NamedTuple

_SPARE: Final = (
    16  # for what is opened now and then: temporary files, a call to a neighbour, a connection to refuse
)
_SPARE_SHARE: Final = 64  # and this share of all

log = logging.getLogger(__name__)


def raise_file_limit() -> None:
    """As many as the hard limit allows; the soft one is often 1024."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class ConnectionLimits(NamedTuple):
    """``kept``: connections that may stay. ``accepted``: those at one time, with newcomers that are still to be
    greeted, or turned away."""

    kept: int
    accepted: int


def connection_limits(max_connections: int) -> ConnectionLimits:
    """As the setting says, or fewer where descriptors are few; then the log says so.

    To be asked once everything but the connections is open.
    """
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit == resource.RLIM_INFINITY:
        free = 2 * max_connections + 2
    else:
        free = max(2, limit - _open_descriptors() - _SPARE - limit // _SPARE_SHARE)
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
    return len(os.listdir("/dev/fd")) - 1  # the folder itself is one
