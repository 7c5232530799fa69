-- Times are text, YYYY-MM-DDTHH:MM:SS.ffffffZ, unless said otherwise; uuids are canonical text.

CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Made with the database and anew after a restore: a client's cursor from another life is recognised by it.
INSERT INTO meta (key, value) VALUES ('epoch', lower(hex(randomblob(8))));

CREATE TABLE users (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,  -- never given twice: an old token must not meet a new user
    username     TEXT NOT NULL,
    username_key TEXT NOT NULL UNIQUE,
    password     TEXT NOT NULL,
    is_active    INTEGER NOT NULL DEFAULT 1,
    date_joined  TEXT NOT NULL,
    -- Tokens without a family that were issued at or before this second are revoked.
    revoked_until INTEGER NOT NULL DEFAULT 0
) STRICT;

-- A user's change counter, apart from the account: one small row is rewritten at every change.
CREATE TABLE feeds (
    user_id INTEGER PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    seq     INTEGER NOT NULL DEFAULT 0,
    tasks   INTEGER NOT NULL DEFAULT 0,
    last    INTEGER NOT NULL DEFAULT 0   -- the position of the user's newest change, 0 before the first
) STRICT;

-- A task is kept as the JSON that clients get: encoded once, sent as often as it is read.
-- No foreign key: every write reads its user's feed, and delete_user deletes.
CREATE TABLE tasks (
    id      INTEGER PRIMARY KEY,
    uuid    TEXT NOT NULL UNIQUE,
    user_id INTEGER NOT NULL,
    created INTEGER NOT NULL,   -- time_created in microseconds since the Unix epoch
    json    BLOB NOT NULL
) STRICT;

CREATE INDEX tasks_of_user ON tasks (user_id, created);

-- A task's fields, for queries; as generated columns a STRICT table would compute them at every insert.
CREATE VIEW task_fields AS
SELECT
    id,
    uuid,
    user_id,
    created AS time_created,
    json_extract(CAST(json AS TEXT), '$.time_modified') AS time_modified,
    json_extract(CAST(json AS TEXT), '$.task') AS task,
    json_extract(CAST(json AS TEXT), '$.description') AS description,
    json_extract(CAST(json AS TEXT), '$.completed') AS completed,
    json_extract(CAST(json AS TEXT), '$.rev') AS rev,
    json
FROM tasks;

-- The change log. position orders all users' changes and is never reused (AUTOINCREMENT), so that a
-- reader that remembers it misses nothing.
-- A user's own changes are a chain, each naming the one before it: an index by user would have to rewrite a page for
-- each user in a group of writes, which costs as much as all the rest of the log. To get at an old seq without walking
-- the whole chain there is an index of every hundredth.
CREATE TABLE changes (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id  INTEGER NOT NULL,
    seq      INTEGER NOT NULL,
    previous INTEGER NOT NULL,   -- the position of the user's change before, 0 at the first; it may have been pruned
    mode     TEXT NOT NULL,
    task_id  TEXT NOT NULL,
    task     BLOB,     -- its JSON after the change, null after a delete
    origin   INTEGER   -- the request that made it, where a socket waits for it as its answer
) STRICT;

CREATE TABLE change_marks (
    user_id  INTEGER NOT NULL,
    seq      INTEGER NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (user_id, seq)
) STRICT, WITHOUT ROWID;

-- Token families: one for each login.
CREATE TABLE sessions (
    sid     TEXT PRIMARY KEY,
    user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    expires INTEGER NOT NULL,            -- Unix seconds; no token of the family lives longer
    revoked INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

CREATE INDEX sessions_of_user ON sessions (user_id);
CREATE INDEX sessions_by_expiry ON sessions (expires);

-- Refresh tokens that were exchanged for a new one, and when (Unix seconds).
CREATE TABLE rotated_tokens (
    jti  TEXT PRIMARY KEY,
    sid  TEXT NOT NULL REFERENCES sessions (sid) ON DELETE CASCADE,
    time INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX rotated_tokens_of_session ON rotated_tokens (sid);

-- What every process must hear of to close the sockets concerned. sid null: all of the user's.
CREATE TABLE revocations (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id  INTEGER NOT NULL,
    sid      TEXT,
    time     INTEGER NOT NULL
) STRICT;
