-- A write whose connection is lost may still wait for a lock. Once the process has asked what became of it, it must not be done any
-- more: nothing is written under numbers up to the fence.
ALTER TABLE writers ADD COLUMN fence bigint NOT NULL DEFAULT 0;
