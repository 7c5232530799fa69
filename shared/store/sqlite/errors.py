"""SQLite's errors: which of them say that the database cannot be used now, and whom an error concerns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from shared.errors import Unavailable
from shared.store.batching import Outcome

W = TypeVar("W")

# SQLite's primary result codes that say "not now", not "wrong": BUSY, LOCKED, NOMEM, READONLY, IOERR,
# CORRUPT, FULL, CANTOPEN, PROTOCOL, NOTADB.
_UNAVAILABLE: Final = frozenset({5, 6, 7, 8, 10, 11, 13, 14, 15, 26})


def translated(error: Exception) -> Exception:
    """``Unavailable`` where the database is at fault, the error itself where we are."""
    code = getattr(error, "sqlite_errorcode", None)
    if code is not None and code & 0xFF in _UNAVAILABLE:
        return Unavailable(f"SQLite: {error}")
    return error


def alone_or_failed(
    group: Sequence[W], error: Exception, run_alone: Callable[[W], list[Outcome]]
) -> list[Outcome]:
    """The outcomes of a group whose transaction failed with a translated error.

    One piece's defect must not fail its neighbours: each is run by itself. An unusable database fails all.
    """
    if len(group) == 1 or isinstance(error, Unavailable):
        return [error] * len(group)
    return [outcome for work in group for outcome in run_alone(work)]
