"""The SQL of the change log: a user's part of it by seq, all users' part by position."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any, Final

from msgspec.structs import astuple

from shared.clock import ClockReading
from shared.decisions.history import HISTORY, no_page, page_seqs, read_page
from shared.feed.log import Position, Tail
from shared.models import Change, ChangePage, Revocation
from shared.store.sqlite.feeds import FeedRow, read_feed
from shared.store.sqlite.inserts import insert

ANCHOR_EVERY: Final = 100  # changes of a user; pruned are so many at once, too
_TAIL_PAGE: Final = 1000
_SEQ_MAX: Final = 2**63 - 1

_COLUMNS: Final = Change.__struct_fields__
_CHANGE: Final = ", ".join(_COLUMNS)
# A user's changes from the one at :start back to the one after :since, newest first, as far as they are kept.
_LINKED = """
WITH RECURSIVE linked (position, seq, previous) AS (
    SELECT position, seq, previous FROM changes WHERE position = :start AND seq > :since
    UNION ALL
    SELECT changes.position, changes.seq, changes.previous
    FROM linked JOIN changes ON changes.position = linked.previous
    WHERE changes.seq > :since
)"""


def read_changes(
    connection: sqlite3.Connection, user_id: int, same_epoch: bool, since: int, limit: int
) -> ChangePage:
    """A page of a user's changes after ``since``, as `Store.changes` says. Raises UserGone."""
    feed = read_feed(connection, user_id)
    seqs = page_seqs(feed.seq, same_epoch, since, limit)
    if not isinstance(seqs, range):
        return no_page(feed.seq, seqs)
    last = since + len(seqs)
    rows = read_log(connection, user_id, feed.last, since, last, last)
    return read_page(feed.seq, seqs, [Change(*row) for row in rows])


def read_log(
    connection: sqlite3.Connection, user_id: int, newest: int, since: int, goal: int, last: int = _SEQ_MAX
) -> list[tuple[Any, ...]]:
    """The columns of a user's kept changes after ``since``, oldest first.

    Args:
        newest: the position of the user's newest change.
        goal: the seq up to which they are wanted, and some more; where all that are kept are newer, the oldest few.
        last: the seq up to which they are answered.
    """
    anchors = connection.execute(
        "SELECT position FROM change_anchors WHERE user_id = ? AND seq >= ? ORDER BY seq LIMIT 1",
        (user_id, goal),
    ).fetchall()
    return connection.execute(
        f"{_LINKED} SELECT {_CHANGE} FROM linked JOIN changes USING (position, seq) WHERE seq <= :last ORDER BY seq",
        {"start": anchors[0][0] if anchors else newest, "since": since, "last": last},
    ).fetchall()


def read_deleted_tasks(connection: sqlite3.Connection) -> set[str]:
    """As `Store.deleted_tasks`."""
    return {uuid for (uuid,) in connection.execute("SELECT task_id FROM changes WHERE mode = 'delete'")}


def write_log(
    connection: sqlite3.Connection, changes: Sequence[Change], feeds: Mapping[int, FeedRow]
) -> tuple[int, dict[int, int]]:
    """Append changes.

    Args:
        feeds: as they were before, of all whose changes these are.

    Returns:
        The position of the first change, the others follow it; and of each user's newest.
    """
    first = read_position(connection).changes + 1
    last: dict[int, int] = {}
    rows, anchors = [], []
    for position, change in enumerate(changes, first):
        user_id = change.user_id
        previous = last.get(user_id) or feeds[user_id].last
        rows.append((position, *astuple(change), previous))
        last[user_id] = position
        if change.seq % ANCHOR_EVERY == 0:
            anchors.append((user_id, change.seq, position))
    insert(connection, "changes", ("position", *_COLUMNS, "previous"), rows)
    for anchor in anchors:
        _add_anchor(connection, *anchor)
    return first, last


def _add_anchor(connection: sqlite3.Connection, user_id: int, seq: int, position: int) -> None:
    """Remember where a change is whose seq is a multiple of ``ANCHOR_EVERY``, and forget what is older than HISTORY."""
    connection.execute(
        "INSERT INTO change_anchors (user_id, seq, position) VALUES (?, ?, ?)",
        (user_id, seq, position),
    )
    _delete_changes(connection, user_id, seq - HISTORY)


def _delete_changes(connection: sqlite3.Connection, user_id: int, seq: int) -> None:
    """Delete a user's changes up to that seq, which has an anchor."""
    anchors = connection.execute(
        "SELECT position FROM change_anchors WHERE user_id = ? AND seq = ?", (user_id, seq)
    ).fetchall()
    if anchors:
        _delete_links(connection, anchors[0][0])
        connection.execute("DELETE FROM change_anchors WHERE user_id = ? AND seq <= ?", (user_id, seq))


def delete_log(connection: sqlite3.Connection, user_id: int) -> None:
    """Delete all of a user's changes."""
    _delete_links(connection, read_feed(connection, user_id).last)
    connection.execute("DELETE FROM change_anchors WHERE user_id = ?", (user_id,))


def _delete_links(connection: sqlite3.Connection, start: int) -> None:
    connection.execute(
        f"{_LINKED} DELETE FROM changes WHERE position IN (SELECT position FROM linked)",
        {"start": start, "since": 0},
    )


def count_changes(connection: sqlite3.Connection) -> int:
    """As `Store.count_changes`. The feeds tell: to count the rows of the log would read all of it."""
    [(count,)] = connection.execute(
        "SELECT coalesce(sum(seq - max(0, seq / :every * :every - :history)), 0) FROM feeds",
        {"every": ANCHOR_EVERY, "history": HISTORY},
    ).fetchall()
    return int(count)


def read_position(connection: sqlite3.Connection) -> Position:
    """The end of the log. The counters say it, not the newest rows: those may have been deleted with their user."""
    counters = dict(connection.execute("SELECT name, seq FROM sqlite_sequence").fetchall())
    return Position(counters.get("changes", 0), counters.get("revocations", 0))


def read_tail(connection: sqlite3.Connection, after: Position) -> Tail:
    """All users' changes and revocations after a position, a page of each."""
    rows = connection.execute(
        f"SELECT position, {_CHANGE} FROM changes WHERE position > ? ORDER BY position LIMIT ?",
        (after.changes, _TAIL_PAGE),
    ).fetchall()
    changes, positions = [Change(*row[1:]) for row in rows], [row[0] for row in rows]
    revocations = connection.execute(
        "SELECT position, user_id, sid FROM revocations WHERE position > ? ORDER BY position LIMIT ?",
        (after.revocations, _TAIL_PAGE),
    ).fetchall()
    position = Position(
        positions[-1] if positions else after.changes,
        revocations[-1][0] if revocations else after.revocations,
    )
    more = len(changes) == _TAIL_PAGE or len(revocations) == _TAIL_PAGE
    ended = [Revocation(user_id, sid) for _, user_id, sid in revocations]
    return Tail(changes, positions, ended, position, more)


def append_revocation(
    connection: sqlite3.Connection, user_id: int, sid: str | None, at: ClockReading
) -> None:
    """For every process to hear of: the end of a token family, or (``None``) of all of a user's tokens."""
    connection.execute(
        "INSERT INTO revocations (user_id, sid, time) VALUES (?, ?, ?)", (user_id, sid, at.time)
    )
