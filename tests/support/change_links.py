"""The links of the change log: each change names the user's previous change; every hundredth is an anchor."""

from __future__ import annotations

import sqlite3
from typing import Final

_ANCHOR_EVERY: Final = 100


def assert_change_links(connection: sqlite3.Connection, anchor_every: int = _ANCHOR_EVERY) -> None:
    """Assert that each user's changes are linked up to the newest, which their feed names, and that all anchors are right.

    The oldest change that is kept links to one that was pruned, or to none where it is the user's first.
    """
    changes = connection.execute(
        "SELECT position, user_id, seq, previous FROM changes ORDER BY position"
    ).fetchall()
    positions = {position for position, *_ in changes}
    newest: dict[int, tuple[int, int]] = {}
    anchors = set[tuple[int, int, int]]()
    for position, user_id, seq, previous in changes:
        change = f"links of user {user_id}: change {seq} at {position} follows the one at {previous}"
        if user_id in newest:
            assert (seq - 1, previous) == newest[user_id], f"{change}, not {newest[user_id]}"
        elif seq == 1:
            assert previous == 0, change
        else:
            assert 0 < previous < position, change
            assert previous not in positions, f"{change}, which is another's"
        newest[user_id] = seq, position
        if seq % anchor_every == 0:
            anchors.add((user_id, seq, position))
    feeds = connection.execute("SELECT user_id, seq, last FROM feeds").fetchall()
    ends = {user_id: (seq, last) for user_id, seq, last in feeds if seq or last}
    assert ends == newest, f"links: they end at {newest}, the feeds say {ends}"
    anchored = set(connection.execute("SELECT user_id, seq, position FROM change_anchors").fetchall())
    assert anchored == anchors, f"anchors missing: {anchors - anchored}, wrong: {anchored - anchors}"
