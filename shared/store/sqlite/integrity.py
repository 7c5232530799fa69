"""Whether what is in a database file fits together: the file, the change log, the tasks and their indexes."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Final

from shared.decisions.history import HISTORY
from shared.store.sqlite.log import ANCHOR_EVERY
from shared.store.sqlite.migrate import newest_version, schema_version
from shared.uuid7 import tick_of

_NAMED_MAX: Final = 20  # faults of the file that are named one by one

# What is wrong, with a query that counts the rows where it is. `moment_of` is the id that a uuid contains.
_FAULTS: Final = {
    "users without a change counter": "SELECT count(*) FROM users WHERE id NOT IN (SELECT user_id FROM feeds)",
    "users whose change log has a gap, or does not end at their seq": f"""
        SELECT count(*) FROM feeds LEFT JOIN (
            SELECT user_id, count(*) AS kept, count(DISTINCT seq) AS seqs, min(seq) AS oldest, max(seq) AS newest
            FROM changes GROUP BY user_id
        ) AS log USING (user_id)
        WHERE coalesce(newest, 0) <> seq OR kept <> seqs OR kept <> newest - oldest + 1
            OR (oldest > 1 AND kept < {HISTORY})""",
    "changes of users who are gone": """
        SELECT count(*) FROM changes WHERE user_id NOT IN (SELECT user_id FROM feeds)""",
    "changes that do not name the one before": """
        SELECT count(*) FROM (
            SELECT previous, seq, lag(position) OVER (PARTITION BY user_id ORDER BY seq) AS before FROM changes
        ) WHERE (before IS NOT NULL AND previous <> before) OR (seq = 1 AND previous <> 0)""",
    "users whose newest change is not where it should be": """
        SELECT count(*) FROM feeds LEFT JOIN changes ON position = last
        WHERE feeds.seq > 0 AND (changes.user_id IS NOT feeds.user_id OR changes.seq IS NOT feeds.seq)""",
    "anchors of the change log that are wrong": """
        SELECT count(*) FROM change_anchors AS anchor LEFT JOIN changes USING (position)
        WHERE changes.user_id IS NOT anchor.user_id OR changes.seq IS NOT anchor.seq""",
    "anchors of the change log that are missing": f"""
        SELECT count(*) FROM changes WHERE seq % {ANCHOR_EVERY} = 0 AND NOT EXISTS (
            SELECT 1 FROM change_anchors AS anchor
            WHERE anchor.user_id = changes.user_id AND anchor.seq = changes.seq)""",
    "tasks of users who are gone": """
        SELECT count(*) FROM tasks WHERE user_id NOT IN (SELECT user_id FROM feeds)""",
    "users whose number of tasks is wrong": """
        SELECT count(*) FROM feeds LEFT JOIN (
            SELECT user_id, count(*) AS there FROM tasks GROUP BY user_id
        ) AS counted USING (user_id) WHERE feeds.tasks <> coalesce(there, 0)""",
    "tasks that no list shows": "{indexed} SELECT count(*) FROM (SELECT user_id, id FROM tasks EXCEPT SELECT * FROM indexed)",
    "entries of lists without their task": """
        {indexed} SELECT count(*) FROM (SELECT * FROM indexed EXCEPT SELECT user_id, id FROM tasks)""",
    "tasks that their uuid does not find": """
        SELECT count(*) FROM tasks WHERE moment_of(uuid) IS NOT id AND NOT EXISTS (
            SELECT 1 FROM client_uuids AS brought WHERE brought.uuid = tasks.uuid AND brought.id = tasks.id)""",
    "uuids without their task": """
        SELECT count(*) FROM client_uuids AS brought LEFT JOIN tasks USING (id)
        WHERE tasks.uuid IS NOT brought.uuid""",
    "tasks that are not as their newest change has them": """
        SELECT count(*) FROM (
            SELECT user_id, task_id, max(seq), task FROM changes GROUP BY user_id, task_id
        ) AS newest LEFT JOIN tasks ON tasks.uuid = newest.task_id AND tasks.user_id = newest.user_id
            AND tasks.id = coalesce(
                (SELECT id FROM client_uuids WHERE uuid = newest.task_id), moment_of(newest.task_id))
        WHERE tasks.json IS NOT newest.task""",
}
_INDEXED: Final = """
    WITH pending AS (SELECT user_id, value AS entry FROM feeds, json_each(feeds.pending)), indexed AS (
        SELECT user_id, id FROM user_tasks
        EXCEPT SELECT user_id, -entry FROM pending WHERE entry < 0
        UNION ALL SELECT user_id, entry FROM pending WHERE entry > 0)"""


def find_faults(connection: sqlite3.Connection) -> Iterator[str]:
    """What is wrong, one line for each kind; nothing where all is well. Reads everything, so it takes its time.

    A database of an older schema is looked at as a file only: what its rows should be is known of the newest alone.

    Raises:
        sqlite3.Error: it cannot be read.
    """
    for (line,) in connection.execute(f"PRAGMA integrity_check({_NAMED_MAX})").fetchall():
        if line != "ok":
            yield f"the file is damaged: {' '.join(line.split())}"
    orphans = connection.execute(
        'SELECT "table", count(*) FROM pragma_foreign_key_check GROUP BY "table" ORDER BY "table"'
    ).fetchall()
    for table, count in orphans:
        yield f"{table}: {count} rows whose owner is gone"
    if schema_version(connection) != newest_version():
        return
    connection.create_function("moment_of", 1, tick_of, deterministic=True)
    for fault, query in _FAULTS.items():
        count = connection.execute(query.replace("{indexed}", _INDEXED)).fetchone()[0]
        if count:
            yield f"{fault}: {count}"
