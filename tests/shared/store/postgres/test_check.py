"""The check of the database beside the servers."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from shared.errors import Unavailable
from shared.store.copies import CopyFailed
from shared.store.opening import back_up_database, check_database, database_exists, restore_database
from shared.store.postgres.migrate import newest_version
from shared.store.records import Finding
from tests.shared.store.owner import Owner
from tests.shared.store.postgres.engine import PostgresEngine


async def _problems(engine: PostgresEngine) -> list[str]:
    findings: list[Finding] = await asyncio.to_thread(check_database, engine.url)
    return [
        finding.text for finding in findings if finding.level == "problem" and "fsync" not in finding.text
    ]


async def test_a_sound_database_has_no_problem_but_that_these_tests_do_not_wait_for_the_disk(
    engine: PostgresEngine, owner: Owner
) -> None:
    await owner.create("a")
    findings = await asyncio.to_thread(check_database, engine.url)
    assert [finding.level for finding in findings] == ["ok", "problem"]
    assert "does not wait for the disk" in findings[1].text
    assert await database_exists(engine.url)


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        ("DELETE FROM changes WHERE seq = 2", "the change log of user {} has a hole"),
        ("DELETE FROM changes WHERE seq = 3", "the change log of user {} has a hole, or does not reach"),
        ("DELETE FROM tasks WHERE task_of(json) = 'b'", "the number of tasks of user {}"),
        ("DELETE FROM feeds", "user {} has no change counter"),
    ],
)
async def test_rows_that_do_not_fit_together_are_found(
    engine: PostgresEngine, owner: Owner, damage: str, problem: str
) -> None:
    for title in "abc":
        await owner.create(title)
    engine._execute(damage.replace("task_of(json)", "convert_from(json, 'UTF8')::jsonb ->> 'task'"))
    found = await _problems(engine)
    assert any(text.startswith(problem.format(owner.id)) for text in found), found


async def test_what_a_deleted_user_has_left_is_found(engine: PostgresEngine, owner: Owner) -> None:
    await owner.create("a")
    await engine.remove_user(owner.id)
    assert await _problems(engine) == [
        f"there are tasks of user {owner.id}, who is gone",
        f"there are changes of user {owner.id}, who is gone",
    ]


async def test_another_version_and_another_programs_tables_are_told(
    engine: PostgresEngine, owner: Owner
) -> None:
    engine._execute("UPDATE meta SET value = '99' WHERE key = 'schema'")
    assert await _problems(engine) == [
        f"the schema has version 99, not {newest_version()}: `taskbeam migrate` brings it up to date"
    ]
    with pytest.raises(Unavailable) as newer:
        async with engine.open():
            pass
    assert "schema version 99" in newer.value.reason
    engine._execute("DELETE FROM meta WHERE key = 'schema'")
    with pytest.raises(Unavailable) as foreign:
        await asyncio.to_thread(check_database, engine.url)
    assert "of another program" in foreign.value.reason


async def test_a_server_that_is_not_there_is_told_without_its_password(engine: PostgresEngine) -> None:
    url = "postgresql://ann:secret@127.0.0.1:1/taskbeam"
    with pytest.raises(Unavailable) as away:
        await asyncio.to_thread(check_database, url)
    assert away.value.reason.startswith("cannot check postgresql://ann@127.0.0.1:1/taskbeam: ")
    assert "secret" not in away.value.reason


def test_copies_are_the_servers_own_work(engine: PostgresEngine, tmp_path: Path) -> None:
    with pytest.raises(CopyFailed, match="pg_dump"):
        back_up_database(engine.url, tmp_path / "copy", replace=False, progress=lambda done, of: None)
    with pytest.raises(CopyFailed, match="pg_restore"):
        restore_database(engine.url, tmp_path / "copy", progress=lambda done, of: None)
