"""Of many rows that have had their time, a bounded number goes at once; and long families are summed up."""

from __future__ import annotations

import msgspec
import pytest

from shared.models import Token
from tests.shared.store.owner import LATER, PATIENCE, READING, Owner, reading_at, refresh_token
from tests.shared.store.sqlite.engine import SqliteEngine


async def test_many_rows_go_in_several_steps(
    engine: SqliteEngine, owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.store.sqlite.aging._ROWS_AT_ONCE", 3)
    for number in range(7):
        await owner.begin(f"{number}", expires=READING.time + 10)
    for step, left in enumerate((4, 1, 0, 0)):
        await owner.begin(f"step {step}", at=reading_at(200 + step))
        assert sum(len(sid) == 1 for sid in await engine.kept()) == left


async def test_a_family_that_is_exchanged_without_end_keeps_its_latest_tokens(
    engine: SqliteEngine, owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.decisions.sessions.EXCHANGES_KEPT", 10)
    monkeypatch.setattr("shared.decisions.sessions.SUM_UP_EVERY", 5)
    store = owner.store
    first = refresh_token(owner.id, None, "of simplejwt's")
    assert await store.exchange_token(first, "one", LATER, READING, 30, PATIENCE) == "one"

    def nth(number: int) -> Token:
        token = refresh_token(owner.id, "one", f"jti {number}")
        return msgspec.structs.replace(token, iat=READING.time + number)

    for number in range(1, 201):
        assert (
            await store.exchange_token(nth(number), "new", LATER, reading_at(number), 30, PATIENCE) == "one"
        )
    kept = [jti for jti in await engine.kept() if jti.startswith("jti")]
    assert 91 <= len(kept) <= 100, "those of the grace and a minute more"
    assert "of simplejwt's" in await engine.kept()
    for token in (nth(1), nth(100), nth(150)):
        status = await store.token_status(token)
        assert status is not None
        assert status.exchanged is not None
        assert reading_at(200).seconds_since(status.exchanged) > 30
    status = await store.token_status(nth(201))
    assert status is not None
    assert status.exchanged is None
    assert await store.exchange_token(nth(190), "new", LATER, reading_at(200), 30, PATIENCE) == "one", (
        "in its grace"
    )
    assert await store.exchange_token(nth(1), "new", LATER, reading_at(200), 30, PATIENCE) is None
    assert await store.exchange_token(nth(201), "new", LATER, reading_at(200), 30, PATIENCE) is None, (
        "it was reused"
    )
