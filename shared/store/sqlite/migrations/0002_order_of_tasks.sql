-- A task's id is the moment of its creation (shared/clock.py): its microsecond, and its turn in it. So ids are in the
-- order of time_created, and a uuid that was made here says the id: it needs no index.
DROP VIEW task_fields;
ALTER TABLE tasks RENAME TO old_tasks;

-- No foreign key: every write reads its user's feed, and delete_user deletes.
CREATE TABLE tasks (
    id      INTEGER PRIMARY KEY,
    uuid    TEXT NOT NULL,
    user_id INTEGER NOT NULL,
    json    BLOB NOT NULL   -- what clients get: encoded once, sent as often as it is read
) STRICT;

-- The turns are counted without the rest of the rows, which may be more than memory holds.
INSERT INTO tasks (id, uuid, user_id, json)
SELECT moments.moment, uuid, user_id, json
FROM (
    SELECT id, created * 2048 + row_number() OVER (PARTITION BY created ORDER BY id) - 1 AS moment
    FROM old_tasks
) AS moments
CROSS JOIN old_tasks ON old_tasks.id = moments.id;

DROP TABLE old_tasks;

-- The uuids that do not say their task's id: those that clients bring, and those from before this file.
CREATE TABLE brought_uuids (
    uuid TEXT PRIMARY KEY,
    id   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO brought_uuids (uuid, id) SELECT uuid, id FROM tasks WHERE moment_of(uuid) IS NOT id;

-- The tasks of a user in their order. To write it at once would rewrite a page of its own for each user in a group of
-- writes, so the newest entries wait in the user's feed, which is rewritten anyway, until there are some to be settled together.
CREATE TABLE user_tasks (
    user_id INTEGER NOT NULL,
    id      INTEGER NOT NULL,
    PRIMARY KEY (user_id, id)
) STRICT, WITHOUT ROWID;

INSERT INTO user_tasks (user_id, id) SELECT user_id, id FROM tasks;

-- A JSON array of ids: positive to be added to user_tasks, negative to be removed.
ALTER TABLE feeds ADD COLUMN unsettled TEXT NOT NULL DEFAULT '[]';

-- A task's fields, for queries; as generated columns a STRICT table would compute them at every insert.
CREATE VIEW task_fields AS
SELECT
    id,
    uuid,
    user_id,
    json_extract(CAST(json AS TEXT), '$.time_created') AS time_created,
    json_extract(CAST(json AS TEXT), '$.time_modified') AS time_modified,
    json_extract(CAST(json AS TEXT), '$.task') AS task,
    json_extract(CAST(json AS TEXT), '$.description') AS description,
    json_extract(CAST(json AS TEXT), '$.completed') AS completed,
    json_extract(CAST(json AS TEXT), '$.rev') AS rev,
    json
FROM tasks;
