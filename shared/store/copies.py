"""Copies of a database: what backups, restores and copies of all engines have in common."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

PART_OF_A_COPY: Final = (
    "it is a part of a copy that has not ended: run the same `taskbeam copy` again, or delete it"
)
"""Why a database is not served."""

Progress = Callable[[int, int], None]
"""Told how much is done, and of how much; in pages, or whatever the engine counts."""


class CopyFailed(Exception):
    """A backup, a restore or a copy that was not made; the message says why, in one line.

    Nothing half is left behind, but by a copy into another database, which goes on from there.
    """


class Restored(NamedTuple):
    """What a restore did. ``former``: where the database that was there before is now; ``None``: there was none.

    ``epoch`` is the new name of this history of changes: clients that knew the former one read everything anew.
    """

    epoch: str
    former: Path | None
