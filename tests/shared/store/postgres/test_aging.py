"""What PostgreSQL alone keeps for a while."""

from __future__ import annotations

from tests.shared.store.owner import PATIENCE, Owner, reading_at
from tests.shared.store.postgres.engine import PostgresEngine


async def test_rows_of_processes_that_are_gone_go_after_a_day(engine: PostgresEngine, owner: Owner) -> None:
    for writer, hours in ((-1, 23), (-2, 25)):
        engine._execute(
            "INSERT INTO writers VALUES (%s, 7, extract(epoch FROM now()) - %s)", writer, hours * 3600
        )
    for seconds in (0, PATIENCE + 1):
        await owner.begin(f"at {seconds}", at=reading_at(seconds))
    assert [id for (id,) in engine._execute("SELECT id FROM writers WHERE id < 0")] == [-1]
    assert len(engine._execute("SELECT id FROM writers WHERE id > 0")) == 1, "this process's"
