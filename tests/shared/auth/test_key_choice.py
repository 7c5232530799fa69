"""The key that signs where processes on many machines do."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from shared.backend import open_backend
from shared.errors import Unavailable
from shared.postgres_url import with_data_folder
from shared.settings import load_settings
from tests.shared.store.postgres.engine import PostgresEngine

_KEY: Final = "k" * 32


async def _serve_from(folder: Path, database: str, **variables: str) -> None:
    """What a process of a machine whose data folder that is does first."""
    environ = {"TASKBEAM_DATABASE_URL": with_data_folder(database, folder), **variables}
    async with open_backend(load_settings(environ), "rest_gateway"):
        pass


async def test_a_second_machine_makes_no_key_of_its_own(tmp_path: Path) -> None:
    database = PostgresEngine.url_in(tmp_path)
    await _serve_from(tmp_path / "a", database)
    await _serve_from(tmp_path / "a", database)
    with pytest.raises(ExceptionGroup) as refused:
        await _serve_from(tmp_path / "b", database)
    [refusal] = refused.value.exceptions
    assert isinstance(refusal, Unavailable)
    assert "set TASKBEAM_SECRET_KEY to it" in refusal.reason
    assert list((tmp_path / "b").iterdir()) == []
    key = (tmp_path / "a" / "taskbeam.key").read_text()
    await _serve_from(tmp_path / "b", database, TASKBEAM_SECRET_KEY=key)
    # It was lost: another one signs from now on.
    await _serve_from(tmp_path / "b", database, TASKBEAM_SECRET_KEY=_KEY)
