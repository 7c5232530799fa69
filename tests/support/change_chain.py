"""The change log as a chain: each change names its user's change before, and every hundredth is marked."""

from __future__ import annotations

import sqlite3
from typing import Final

_MARK_EVERY: Final = 100


def assert_chain(connection: sqlite3.Connection, mark_every: int = _MARK_EVERY) -> None:
    """Every user's changes hang together up to the newest, which their feed names; no mark is missing or wrong.

    The oldest that is kept names one that is not, or none where it is the user's first.
    """
    changes = connection.execute(
        "SELECT position, user_id, seq, previous FROM changes ORDER BY position"
    ).fetchall()
    positions = {position for position, *_ in changes}
    newest: dict[int, tuple[int, int]] = {}
    marks = set[tuple[int, int, int]]()
    for position, user_id, seq, previous in changes:
        change = f"chain of user {user_id}: change {seq} at {position} follows the one at {previous}"
        if user_id in newest:
            assert (seq - 1, previous) == newest[user_id], f"{change}, not {newest[user_id]}"
        elif seq == 1:
            assert previous == 0, change
        else:
            assert 0 < previous < position, change
            assert previous not in positions, f"{change}, which is another's"
        newest[user_id] = seq, position
        if seq % mark_every == 0:
            marks.add((user_id, seq, position))
    feeds = connection.execute("SELECT user_id, seq, last FROM feeds").fetchall()
    ends = {user_id: (seq, last) for user_id, seq, last in feeds if seq or last}
    assert ends == newest, f"chain: it ends at {newest}, the feeds say {ends}"
    marked = set(connection.execute("SELECT user_id, seq, position FROM change_marks").fetchall())
    assert marked == marks, f"chain: marks missing: {marks - marked}, wrong: {marked - marks}"
