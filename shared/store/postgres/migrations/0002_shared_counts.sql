-- What the processes of all machines count together. All of it may be lost at any moment, so the tables are unlogged: no commit
-- waits for the disk, and after a crash of the server they are empty.

-- Failed logins and registrations within a minute.
CREATE UNLOGGED TABLE attempts (
    key      bytea PRIMARY KEY,     -- what is limited, and a hash of whose it is
    began    timestamptz NOT NULL,  -- by this server's clock: when the first attempt of the minute was made
    attempts integer NOT NULL
) WITH (fillfactor = 50);

CREATE INDEX attempts_by_time ON attempts (began);

-- The processes that serve. One that is not seen for some seconds is gone, and what it counted with it.
CREATE UNLOGGED TABLE serving (
    process bigint PRIMARY KEY,     -- a random number
    kind    text NOT NULL,          -- connections are limited among the processes of a kind
    seen    timestamptz NOT NULL
) WITH (fillfactor = 20);

-- How many connections each user has at each process.
CREATE UNLOGGED TABLE user_connections (
    user_id     bigint NOT NULL,
    process     bigint NOT NULL,
    connections integer NOT NULL,
    grown       timestamptz NOT NULL,  -- when they last became more: where there are too many, the newest go
    PRIMARY KEY (user_id, process)
) WITH (fillfactor = 80);

CREATE INDEX user_connections_of_process ON user_connections (process);
