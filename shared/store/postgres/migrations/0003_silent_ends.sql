-- What another program does to accounts may end tokens without a row in revocations. It is counted, so that the processes check the
-- tokens of their connections after that alone, and not after every commit. Our own transactions say that they write revocations.

INSERT INTO counters (name) VALUES ('silent_ends');

CREATE FUNCTION count_silent_end() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    IF current_setting('taskbeam.writes_revocations', true) IS DISTINCT FROM 'on' THEN
        EXECUTE format('UPDATE %I.counters SET value = value + 1 WHERE name = %L', TG_TABLE_SCHEMA, 'silent_ends');
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER silent_end AFTER DELETE OR TRUNCATE OR UPDATE OF id, is_active, revoked_until ON users
    FOR EACH STATEMENT EXECUTE FUNCTION count_silent_end();
CREATE TRIGGER silent_end AFTER DELETE OR TRUNCATE OR UPDATE OF sid, user_id, revoked ON sessions
    FOR EACH STATEMENT EXECUTE FUNCTION count_silent_end();
