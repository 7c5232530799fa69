-- Times are text, YYYY-MM-DDTHH:MM:SS.ffffffZ, unless said otherwise.

CREATE TABLE meta (
    key   text PRIMARY KEY,
    value text NOT NULL
);

-- Made with the database and anew after a restore: a client's cursor from another life is recognised by it.
INSERT INTO meta (key, value) VALUES ('epoch', left(replace(gen_random_uuid()::text, '-', ''), 16));

-- Numbers in the order of commits, without gaps: a row is locked from the number's use to the commit. A sequence's are not.
CREATE TABLE counters (
    name  text PRIMARY KEY,
    value bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 10);

INSERT INTO counters (name) VALUES ('users'), ('revocations');

CREATE TABLE users (
    id           bigint PRIMARY KEY,  -- never given twice: an old token must not meet a new user
    username     text NOT NULL,
    username_key text COLLATE "C" NOT NULL,
    password     text NOT NULL,
    -- What checking the password costs, by the form of its hash (shared/auth/hash_forms.py); null: it cannot be checked.
    hash_form    text,
    hash_cost    bigint,
    is_active    boolean NOT NULL DEFAULT true,
    date_joined  text NOT NULL,
    -- Tokens without a family that were issued at or before this second are revoked.
    revoked_until bigint NOT NULL DEFAULT 0,
    CONSTRAINT users_username_key UNIQUE (username_key)
);

-- What a failed login must take as long as: the dearest of the stored hashes.
CREATE INDEX users_by_hash_cost ON users (hash_form, hash_cost);

-- A user's change counter, apart from the account: one small row is rewritten at every change, in place (HOT) as long as its
-- page has room.
CREATE TABLE feeds (
    user_id bigint PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    seq     bigint NOT NULL DEFAULT 0,
    tasks   bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 40);

-- A task is kept as the JSON that clients get: encoded once, sent as often as it is read.
-- No foreign key: every write locks its user's feed, and delete_user deletes.
CREATE TABLE tasks (
    uuid    uuid PRIMARY KEY,
    user_id bigint NOT NULL,
    created bigint NOT NULL,  -- time_created in microseconds since the Unix epoch
    seq     bigint NOT NULL,  -- of the change that created it: the order within a microsecond
    json    bytea NOT NULL
) WITH (fillfactor = 80);

CREATE INDEX tasks_of_user ON tasks (user_id, created, seq);

CREATE TABLE changes (
    user_id  bigint NOT NULL,
    seq      bigint NOT NULL,
    mode     text NOT NULL,
    task_id  uuid NOT NULL,
    task     bytea,   -- its JSON after the change, null after a delete
    write_id bigint,  -- the request that made it, where a socket waits for it as its answer
    PRIMARY KEY (user_id, seq)
);

-- Token families: one for each login.
CREATE TABLE sessions (
    sid       text COLLATE "C" PRIMARY KEY,
    user_id   bigint NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    expires   bigint NOT NULL,               -- Unix seconds; no token of the family lives longer
    revoked   boolean NOT NULL DEFAULT false,
    exchanges bigint NOT NULL DEFAULT 0,
    -- A family keeps its latest exchanged tokens only: those that were issued up to then count as exchanged long ago.
    exchanged_until bigint NOT NULL DEFAULT 0
);

CREATE INDEX sessions_of_user ON sessions (user_id);
CREATE INDEX sessions_by_expiry ON sessions (expires);

-- Refresh tokens that were exchanged for a new one, or ended, until they expire. The family of one of simplejwt's, which
-- names none, is known from here. When it was, by the clock and by the seconds since the start of the machine (boot).
CREATE TABLE rotated_tokens (
    jti     text COLLATE "C" PRIMARY KEY,
    sid     text COLLATE "C" NOT NULL REFERENCES sessions (sid) ON DELETE CASCADE,
    time    bigint NOT NULL,
    uptime  double precision NOT NULL,
    boot    text NOT NULL,
    issued  bigint NOT NULL,
    expires bigint NOT NULL,
    turn    bigint            -- the exchanges of the family in their order; null: this one began it
);

CREATE INDEX rotated_tokens_of_session ON rotated_tokens (sid, turn);
CREATE INDEX rotated_tokens_by_expiry ON rotated_tokens (expires);

-- What every process must hear of to close the sockets concerned. sid null: all of the user's.
CREATE TABLE revocations (
    position bigint PRIMARY KEY,
    user_id  bigint NOT NULL,
    sid      text,
    time     bigint NOT NULL
);

CREATE INDEX revocations_by_time ON revocations (time);

-- Where a user has logged in: what strangers do elsewhere does not lock these out.
CREATE TABLE login_addresses (
    user_id bigint NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    address text NOT NULL,      -- of IPv6, the network of 64 bits
    turn    bigint NOT NULL,    -- the user's logins in their order
    PRIMARY KEY (user_id, address)
);

-- Since when the clock of a host goes evenly, beside the seconds since its start: rows are deleted by no other.
CREATE TABLE even_clocks (
    boot  text PRIMARY KEY,
    ahead double precision NOT NULL,  -- the clock less the uptime
    since double precision NOT NULL,  -- in uptime
    seen  bigint NOT NULL             -- Unix seconds
);

-- The processes that write. Each transaction of a process writes its number: if the answer to COMMIT is lost, the row tells.
CREATE TABLE writers (
    id          bigint PRIMARY KEY,
    last_number bigint NOT NULL,
    seen        bigint NOT NULL       -- Unix seconds by the server's clock: after a day without a write it goes
) WITH (fillfactor = 40);
