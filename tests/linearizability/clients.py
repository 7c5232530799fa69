"""One task as a register, over either transport. A lost answer raises ``AnswerLost``."""

from __future__ import annotations

from typing import Protocol

from tests.linearizability.checker import State
from tests.support.clients import Account
from tests.support.processes import System
from tests.support.reconnecting_clients import AnswerLost, Json, ReconnectingRest, ReconnectingSocket


class Register(Protocol):
    """``read`` and ``swap`` raise AnswerLost."""

    async def read(self) -> State: ...

    async def swap(self, expected: int, data: Json) -> tuple[bool, State]:
        """Whether the swap won, and the state after it, or the current state."""
        ...

    def abort(self) -> None: ...
    async def close(self) -> None: ...


def state_of(task: Json) -> State:
    return State(task["rev"], task["description"], task["completed"])


class WsRegister:
    def __init__(self, system: System, account: Account, task_id: str) -> None:
        self._client = ReconnectingSocket(system, account.access, push=False)
        self._task_id = task_id

    async def read(self) -> State:
        answer = await self._client.ask({"mode": "read", "task_id": self._task_id})
        assert answer.get("mode") == "read", answer
        assert answer["type"] == "task.update", answer
        return state_of(answer["task"])

    async def swap(self, expected: int, data: Json) -> tuple[bool, State]:
        request = {"mode": "update", "task_id": self._task_id, "rev": expected, "data": data}
        answer = await self._client.ask(request)
        if answer.get("code") == "unavailable":
            raise AnswerLost  # the contract leaves open whether it was done
        assert answer["type"] == "task.update" or answer["code"] == "conflict", answer
        return answer["type"] == "task.update", state_of(answer["task"])

    def abort(self) -> None:
        self._client.abort()

    async def close(self) -> None:
        await self._client.close()


class RestRegister:
    def __init__(self, system: System, account: Account, task_id: str) -> None:
        self._client = ReconnectingRest(system, account.access)
        self._path = f"/task/{task_id}/"

    async def read(self) -> State:
        answer = await self._client.ask("GET", self._path)
        assert answer.status == 200, answer
        assert answer.headers["etag"] == f'"{answer.body["rev"]}"'
        return state_of(answer.body)

    async def swap(self, expected: int, data: Json) -> tuple[bool, State]:
        answer = await self._client.ask("PATCH", self._path, data, If_Match=f'"{expected}"')
        if answer.status == 503:
            raise AnswerLost
        assert answer.status in (200, 412), answer
        won = answer.status == 200
        return won, state_of(answer.body if won else answer.body["task"])

    def abort(self) -> None:
        self._client.abort()

    async def close(self) -> None:
        await self._client.close()
