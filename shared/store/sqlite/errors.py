"""SQLite's errors: which of them say that the database cannot be used now."""

from __future__ import annotations

from typing import Final

from shared.errors import Unavailable
from shared.metrics.catalogue import DATABASE_ERRORS

_errors = DATABASE_ERRORS.child()
# BUSY and LOCKED: what is asked on the event loop, and not free at this moment, is asked again on a thread.
_BUSY: Final = (5, 6)

# SQLite's primary result codes that say "not now", not "wrong": BUSY, LOCKED, NOMEM, READONLY, IOERR,
# CORRUPT, FULL, CANTOPEN, PROTOCOL, NOTADB.
_UNAVAILABLE: Final = frozenset({5, 6, 7, 8, 10, 11, 13, 14, 15, 26})


def translated(error: Exception) -> Exception:
    """``Unavailable`` where the database is at fault, the error itself where we are."""
    code = getattr(error, "sqlite_errorcode", None)
    if code is not None and code & 0xFF in _UNAVAILABLE:
        if code & 0xFF not in _BUSY:
            _errors.value += 1
        return Unavailable(f"SQLite: {error}")
    return error
