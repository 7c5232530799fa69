"""A socket whose token has ended is closed (4403) within a second, whatever ended it."""

from __future__ import annotations

import time

import pytest

from tests.support.clients import Account, connected, new_account
from tests.support.database_edits import NOTICE_SECONDS, REVOCATIONS, SLACK_SECONDS, edit_database
from tests.support.frames import create
from tests.support.processes import System


@pytest.mark.parametrize("revocation", REVOCATIONS)
async def test_what_another_program_does_to_an_account_ends_its_sockets(
    system: System, account: Account, revocation: str
) -> None:
    other = new_account(system)
    async with (
        connected(system, account.access) as first,
        connected(system, account.access, push=False) as second,
        connected(system, other.access) as untouched,
    ):
        await create(first)
        edit_database(system, account, REVOCATIONS[revocation])
        started = time.monotonic()
        assert await first.closed() == await second.closed() == 4403
        assert time.monotonic() - started < NOTICE_SECONDS + SLACK_SECONDS
        assert (await untouched.ask({"mode": "ping"}))["type"] == "pong"


async def test_a_revocation_that_is_written_by_hand_ends_the_sockets(
    system: System, account: Account
) -> None:
    assert system.database.exists()  # PostgreSQL numbers revocations in another table
    async with connected(system, account.access) as socket:
        edit_database(
            system,
            account,
            "INSERT INTO revocations (user_id, sid, time) SELECT user_id, sid, 0 FROM sessions WHERE user_id = :id",
            REVOCATIONS["family revoked"],
        )
        assert await socket.closed() == 4403


async def test_a_user_who_is_enabled_again_may_come_back(system: System, account: Account) -> None:
    async with connected(system, account.access) as socket:
        edit_database(system, account, REVOCATIONS["disabled"])
        assert await socket.closed() == 4403
        async with connected(system) as refused:
            assert (await refused.ask({"type": "auth", "token": account.access}))["code"] == "token_not_valid"
    edit_database(system, account, "UPDATE users SET is_active = true WHERE id = :id")
    async with connected(system, account.access) as socket:
        await create(socket)


async def test_one_disabled_during_its_authentication_is_closed_too(system: System) -> None:
    for _ in range(5):
        account = new_account(system)
        async with connected(system) as socket:
            await socket.send({"type": "auth", "token": account.access})
            edit_database(system, account, REVOCATIONS["disabled"])
            assert await socket.closed() in (4001, 4403)
