"""What ends a token on one machine closes the sockets and streams on another, which refuses the token, too."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.cluster.machines import database_of, two_machines
from tests.support.clients import PASSWORD, Account, Rest, connected, new_account
from tests.support.command_line import succeed, taskbeam_beside
from tests.support.database_edits import NOTICE_SECONDS, SLACK_SECONDS
from tests.support.event_stream import event_stream
from tests.support.frames import create
from tests.support.processes import System
from tests.support.valkey import valkey
from tests.support.waiting import wait_for_second

Machines = tuple[System, System]


@pytest.fixture(scope="module", params=["notices", "Valkey", "frozen Valkey"])
def machines(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    """With hints over the database, over a broker, and over one that takes bytes and does nothing."""
    settings = {"ROTATE_REFRESH_TOKENS": "true", "REFRESH_GRACE_SECONDS": "0"}
    with ExitStack() as stack:
        broker = None if request.param == "notices" else stack.enter_context(valkey())
        if broker is not None:
            settings["EVENTS_URL"] = broker.url
        both = stack.enter_context(two_machines(tmp_path_factory.mktemp("machines"), **settings))
        if broker is not None and request.param == "frozen Valkey":
            stack.enter_context(broker.frozen())
        yield both


async def _ask(machine: System, account: Account, method: str, path: str, body: object = None) -> int:
    answer = await asyncio.to_thread(Rest(machine, account.access), method, path, body)
    return answer.status


async def _log_out(machine: System, account: Account) -> None:
    assert await _ask(machine, account, "POST", "/logout/", {"refresh": account.refresh}) == 200


async def _change_password(machine: System, account: Account) -> None:
    body = {"current_password": PASSWORD, "password": "another good password"}
    assert await _ask(machine, account, "PATCH", "/me/", body) == 200


async def _delete_account(machine: System, account: Account) -> None:
    assert await _ask(machine, account, "DELETE", "/me/", {"current_password": PASSWORD}) == 204


async def _use_a_refresh_token_again(machine: System, account: Account) -> None:
    body = {"refresh": account.refresh}
    assert await _ask(machine, account, "POST", "/token-refresh/", body) == 200
    await asyncio.to_thread(wait_for_second, int(time.time()) + 1)  # the grace is none
    assert await _ask(machine, account, "POST", "/token-refresh/", body) == 401


async def _disable_by_command(machine: System, account: Account) -> None:
    succeed(await taskbeam_beside("user", "disable", account.username, environ=machine.environ))


async def _disable_by_hand(machine: System, account: Account) -> None:
    """As another program does, which writes no revocation."""
    with database_of(machine) as database:
        database.execute("UPDATE users SET is_active = false WHERE id = %s", (account.id,))


ENDS = [
    _log_out,
    _change_password,
    _delete_account,
    _use_a_refresh_token_again,
    _disable_by_command,
    _disable_by_hand,
]


@pytest.mark.parametrize("end", ENDS)
async def test_a_token_that_ends_on_one_machine_ends_on_the_other(
    machines: Machines,
    record_property: Callable[[str, object], None],
    end: Callable[[System, Account], Awaitable[None]],
) -> None:
    one, two = machines
    account, other = new_account(one), new_account(one)
    async with (
        connected(two, account.access) as socket,
        connected(two, account.access, push=False) as quiet,
        connected(two, other.access) as untouched,
    ):
        await create(untouched)
        for _ in range(3):
            assert await _ask(two, account, "GET", "/") == 200
        with event_stream(two, account) as stream:
            await end(one, account)
            ended = time.monotonic()
            seconds: dict[str, float] = {}

            async def note(what: str, wait: Awaitable[object], expected: object = None) -> None:
                assert await wait == expected
                seconds[what] = round(time.monotonic() - ended, 3)

            async def refused() -> None:
                while await _ask(two, account, "GET", "/") != 401:
                    pass

            async with asyncio.TaskGroup() as waits:
                waits.create_task(note("socket", socket.closed(), 4403))
                waits.create_task(note("socket without pushes", quiet.closed(), 4403))
                waits.create_task(note("event stream", asyncio.to_thread(stream.ended)))
                waits.create_task(note("token refused", refused()))
        record_property("seconds", seconds)
        assert max(seconds.values()) < NOTICE_SECONDS + SLACK_SECONDS, seconds
        assert await _ask(two, other, "GET", "/") == 200
        assert (await untouched.ask({"mode": "ping"}))["type"] == "pong"
