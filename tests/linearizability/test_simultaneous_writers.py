"""Fifty writers of one task at once, half of them over each transport: each revision has one winner."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import pytest

from tests.linearizability.checker import State
from tests.linearizability.clients import Register, RestRegister, WsRegister, state_of
from tests.support.clients import Account, new_account
from tests.support.processes import System, running

_WRITERS: Final = 50
_ROUNDS: Final = 6


@pytest.fixture
async def connected_writers(tmp_path: Path) -> AsyncIterator[tuple[list[Register], Account, str]]:
    """The writers, connected; their account, and the task."""
    with running(tmp_path, workers=2, MESSAGES_PER_SECOND="0") as system:
        account = new_account(system)
        task_id = account.rest("POST", "/", {"task": "Changed by all"}).body["uuid"]
        registers: list[Register] = [
            _register(system, account, task_id, number) for number in range(_WRITERS)
        ]
        await asyncio.gather(*(register.read() for register in registers))
        yield registers, account, task_id
        for register in registers:
            await register.close()


def _register(system: System, account: Account, task_id: str, number: int) -> Register:
    return (WsRegister, RestRegister)[number % 2](system, account, task_id)


async def test_one_writer_wins_each_revision(connected_writers: tuple[list[Register], Account, str]) -> None:
    registers, account, _ = connected_writers
    for rev in range(1, _ROUNDS + 1):
        answers = await asyncio.gather(
            *(
                register.swap(rev, {"description": f"{rev} by {number}"})
                for number, register in enumerate(registers)
            )
        )
        winners = [number for number, (won, _) in enumerate(answers) if won]
        assert len(winners) == 1, f"revision {rev}: {winners}"
        made = State(rev + 1, f"{rev} by {winners[0]}", False)
        assert {state for _, state in answers} == {made}  # the losers are told what the winner made
    assert account.rest("GET", "/").headers["X-Taskbeam-Seq"] == str(1 + _ROUNDS)


async def test_every_writer_succeeds_by_trying_again(
    connected_writers: tuple[list[Register], Account, str],
) -> None:
    registers, account, task_id = connected_writers
    winners: Counter[int] = Counter()

    async def append(number: int, register: Register) -> None:
        """Append to the description, with as many attempts as it takes."""
        won, state = False, await register.read()
        while not won:
            won, state = await register.swap(state.rev, {"description": f"{state.description} {number}"})
        winners[state.rev] += 1

    await asyncio.gather(*(append(number, register) for number, register in enumerate(registers)))
    assert winners == dict.fromkeys(range(2, _WRITERS + 2), 1)
    final = state_of(account.rest("GET", f"/task/{task_id}/").body)
    assert sorted(map(int, final.description.split())) == list(range(_WRITERS))
