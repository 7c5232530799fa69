"""Copies of a database that are kept elsewhere: what an engine's backup and restore have in common."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

Progress = Callable[[int, int], None]
"""Told how much is done, and of how much; in pages, or whatever the engine counts."""


class CopyFailed(Exception):
    """A backup or a restore that was not made; the message says why, in one line. Nothing half is left behind."""


class Restored(NamedTuple):
    """What a restore did. ``former``: where the database that was there before is now; ``None``: there was none.

    ``epoch`` is the new name of this history of changes: clients that knew the former one read everything anew.
    """

    epoch: str
    former: Path | None
