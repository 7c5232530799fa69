-- What a failed login must take as long as: the dearest of the stored hashes (see shared/password_hashes.py).
CREATE INDEX users_by_bcrypt_cost ON users (substr(password, instr(password, '$$2') + 5, 2))
WHERE substr(password, 1, 6) = 'bcrypt';

CREATE INDEX users_by_pbkdf2_iterations ON users (CAST(substr(password, 15) AS INTEGER))
WHERE substr(password, 1, 14) = 'pbkdf2_sha256$';

-- Where a user has logged in: what strangers do elsewhere does not lock these out.
CREATE TABLE login_addresses (
    user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    address TEXT NOT NULL,      -- of IPv6, the network of 64 bits
    turn    INTEGER NOT NULL,   -- the user's logins in their order
    PRIMARY KEY (user_id, address)
) STRICT, WITHOUT ROWID;

-- Refresh tokens that were exchanged for a new one, or ended, until they expire. The family of one of simplejwt's, which
-- names none, is known from here. When it was, by the clock and by the seconds since the start of the machine (boot).
ALTER TABLE rotated_tokens RENAME TO old_rotated_tokens;

CREATE TABLE rotated_tokens (
    jti     TEXT PRIMARY KEY,
    sid     TEXT NOT NULL REFERENCES sessions (sid) ON DELETE CASCADE,
    time    INTEGER NOT NULL,
    uptime  REAL NOT NULL,
    boot    TEXT NOT NULL,
    issued  INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    turn    INTEGER             -- the exchanges of the family in their order; null: this one began it
) STRICT, WITHOUT ROWID;

INSERT INTO rotated_tokens (jti, sid, time, uptime, boot, issued, expires)
SELECT jti, sid, time, 0, '', 0, expires FROM old_rotated_tokens JOIN sessions USING (sid);

DROP TABLE old_rotated_tokens;

CREATE INDEX rotated_tokens_of_session ON rotated_tokens (sid, turn);
CREATE INDEX rotated_tokens_by_expiry ON rotated_tokens (expires);

-- A family keeps its latest exchanged tokens only: those that were issued up to then count as exchanged long ago.
ALTER TABLE sessions ADD COLUMN exchanges INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sessions ADD COLUMN exchanged_until INTEGER NOT NULL DEFAULT 0;

-- Since when the clock goes evenly, beside the seconds since the machine's start: rows are deleted by no other.
CREATE TABLE even_clock (
    id     INTEGER PRIMARY KEY CHECK (id = 1),
    boot   TEXT NOT NULL,
    ahead  REAL NOT NULL,       -- the clock less the uptime
    since  REAL NOT NULL        -- in uptime
) STRICT;

CREATE INDEX revocations_by_time ON revocations (time);
