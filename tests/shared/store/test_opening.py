"""What a URL opens."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.models import CreateTask
from shared.store.opening import open_database
from tests.shared.feed.heard import Heard
from tests.shared.store.engine import Engine
from tests.shared.store.owner import new_owner


async def test_url_opens_a_store_and_the_feed_of_its_changes(engine: Engine) -> None:
    async with open_database(engine.url) as database, database.open_feed("test") as feed:
        heard = Heard(feed)
        owner = await new_owner(database.store)
        heard.wanted = (owner.id,)
        await feed.resume(owner.id)
        [written] = await owner.write(CreateTask(None, "a"))
        assert heard.changes == [written.change]


async def test_files_beside_the_database_are_told_apart_by_their_suffix(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # those of a server's database are on this host, under the working folder
    async with open_database(engine.url) as database:
        key, ports = database.beside(".key"), database.beside("-ports")
        assert key != ports
        key.write_text("a key")
        assert not ports.exists()
