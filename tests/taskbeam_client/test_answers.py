"""What the client makes of each close code and of each refusal, from a server that is told what to say."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve

from taskbeam_client import Backoff, ClientDefect, LoggedOut, Refused, TaskbeamClient
from tests.support.waiting import until

Frame = dict[str, Any]
TIME = "2026-01-01T00:00:00.000000Z"


class Server:
    """One task log, and a list of things to go wrong: each answers, or ends, the next request of its mode."""

    def __init__(self) -> None:
        self.url = ""
        self.tokens: list[str] = []
        self.requests: list[Frame] = []
        self.log: list[Frame] = []
        self.faults: dict[str, list[Callable[[ServerConnection, Frame], Awaitable[Frame | None]]]] = {}

    def fault(self, mode: str, code: int | str) -> None:
        """At the next request of this mode: a close code, or an error's code."""

        async def close(socket: ServerConnection, request: Frame) -> None:
            assert isinstance(code, int)
            await socket.close(code, "as told")

        async def refuse(socket: ServerConnection, request: Frame) -> Frame:
            return {"type": "error", "message": "No.", "code": code, "retry_after": 0.05}

        self.faults.setdefault(mode, []).append(close if isinstance(code, int) else refuse)

    async def serve(self, socket: ServerConnection) -> None:
        async for message in socket:
            request = json.loads(message)
            mode = request.get("mode", request.get("type"))
            if mode == "auth":
                self.tokens.append(request["token"])
            else:
                self.requests.append(request)
            if faults := self.faults.get(mode):
                answer = await faults.pop(0)(socket, request)
            else:
                answer = self.answer(mode, request)
            if answer is not None:
                await socket.send(json.dumps({**answer, "id": request["id"]}))

    def answer(self, mode: str, request: Frame) -> Frame:
        seq = len(self.log)
        if mode == "auth":
            return {"type": "auth", "user_id": 1, "expires": TIME, "epoch": "one", "seq": seq}
        if mode == "sync":
            changes = [
                {key: entry[key] for key in ("seq", "mode", "task_id", "task")}
                for entry in self.log[request["since"] :]
            ]
            return {"type": "sync", "recovered": True, "changes": changes, "seq": seq, "more": False}
        if mode == "all":
            return {
                "type": "task.update",
                "mode": "all",
                "task": [entry["task"] for entry in self.log],
                "seq": seq,
                "count": seq,
            }
        times = {"user_id": 1, "time_created": TIME, "time_modified": TIME, "rev": 1}
        task = {**request["data"], **times}
        entry = {
            "type": "task.update",
            "mode": mode,
            "task": task,
            "task_id": task["uuid"],
            "seq": seq + 1,
        }
        self.log.append(entry)
        return entry


@asynccontextmanager
async def told() -> AsyncIterator[Server]:
    server = Server()
    async with serve(server.serve, "127.0.0.1", 0) as listening:
        server.url = f"ws://127.0.0.1:{next(iter(listening.sockets)).getsockname()[1]}/"
        yield server


def client_of(server: Server) -> TaskbeamClient:
    numbers = iter(range(100))

    async def token() -> str:
        return f"token {next(numbers)}"

    return TaskbeamClient(server.url, token, backoff=Backoff(0.01, 0.05), connect_options={"proxy": None})


@pytest.mark.parametrize("mode", ["auth", "all", "create"])
@pytest.mark.parametrize(
    ("code", "tokens"),
    [(code, 1) for code in (1000, 1001, 1011, 1012, 4008, 4009, 4010)] + [(4001, 2), (4401, 2)],
)
async def test_close_codes_to_come_back_from(mode: str, code: int, tokens: int) -> None:
    async with told() as server:
        server.fault(mode, code)
        async with client_of(server) as client, asyncio.timeout(10):
            await client.create("A task")
            assert (client.seq, len(server.log)) == (1, 1)
        assert len(set(server.tokens)) == tokens
        assert len(server.tokens) == 2


@pytest.mark.parametrize("mode", ["auth", "create"])
@pytest.mark.parametrize(
    ("code", "error"), [(4403, LoggedOut)] + [(code, ClientDefect) for code in (1003, 1007, 1009, 4003, 4029)]
)
async def test_close_codes_that_end_the_client(mode: str, code: int, error: type[Exception]) -> None:
    async with told() as server:
        server.fault(mode, code)
        client = client_of(server)

        async def body() -> None:
            async with client, asyncio.timeout(10):
                await client.create("A task")

        with pytest.raises(error) as raised:
            await body()
        assert getattr(raised.value, "close_code", code) == code
        assert len(server.tokens) == 1


@pytest.mark.parametrize("code", ["rate_limited", "unavailable"])
@pytest.mark.parametrize("mode", ["auth", "all", "sync", "create"])
async def test_what_is_refused_for_now_is_asked_again(mode: str, code: str) -> None:
    async with told() as server:
        server.fault(mode, code)
        if mode == "sync":
            server.fault("create", "unavailable")  # so that it looks what has become of it
        async with client_of(server) as client, asyncio.timeout(10):
            await client.create("A task")
            assert (client.seq, len(server.log)) == (1, 1)
        assert not any(server.faults.values())


async def test_unavailable_though_it_was_done() -> None:
    async with told() as server:

        async def done_and_denied(socket: ServerConnection, request: Frame) -> Frame:
            server.answer("create", request)
            return {"type": "error", "message": "Later.", "code": "unavailable", "retry_after": 0.05}

        server.faults["create"] = [done_and_denied]
        async with client_of(server) as client, asyncio.timeout(10):
            assert (await client.create("A task")).rev == 1
            assert (client.seq, len(server.log)) == (1, 1)


@pytest.mark.parametrize("code", ["internal", "limit_reached", "a_code_of_the_future"])
async def test_other_refusals_raise_errors(code: str) -> None:
    async with told() as server:
        server.fault("create", code)
        async with client_of(server) as client, asyncio.timeout(10):
            with pytest.raises(Refused) as refused:
                await client.create("A task")
            assert refused.value.code == code
            await client.create("Another")
            assert client.seq == 1


async def test_tokens_that_are_refused_again_and_again() -> None:
    async with told() as server:
        for _ in range(3):
            server.fault("auth", "token_not_valid")
        client = client_of(server)

        async def body() -> None:
            async with client, asyncio.timeout(10):
                await client.ready()

        with pytest.raises(LoggedOut):
            await body()
        assert server.tokens == ["token 0", "token 1", "token 2"]


async def test_old_tokens_that_are_refused_do_not_count() -> None:
    """They end while there is no connection; each new one is lost before it could be used."""
    async with told() as server:
        for _ in range(4):
            server.fault("auth", 1001)
            server.fault("auth", 4001)
        async with client_of(server) as client, asyncio.timeout(10):
            await client.ready()
        assert server.tokens == [f"token {number}" for number in (0, 0, 1, 1, 2, 2, 3, 3, 4)]


async def test_a_token_is_renewed_while_a_long_list_is_on_its_way() -> None:
    async with told() as server:
        answers: list[asyncio.Task[None]] = []

        async def slowly(socket: ServerConnection, request: Frame) -> None:
            async def answer() -> None:
                await until(lambda: len(server.tokens) == 2, 10, "the token is renewed")
                await socket.send(json.dumps({**server.answer("all", request), "id": request["id"]}))

            await socket.send(json.dumps({"type": "auth.expiring", "in": 0.2}))
            answers.append(asyncio.create_task(answer()))

        server.faults["all"] = [slowly]
        async with client_of(server) as client, asyncio.timeout(10):
            await client.ready()
            assert client.statistics.connections == 1
        await asyncio.gather(*answers)
    assert server.tokens == ["token 0", "token 1"]


async def test_leaving_in_the_moment_of_a_disconnect() -> None:
    """The cancellation meets the loss of the connection; neither may be forgotten."""
    async with told() as server, asyncio.timeout(20):
        for turns in range(40):
            async with client_of(server) as client:
                await client.ready()
                client.drop_connection()
                for _ in range(turns % 10):
                    await asyncio.sleep(0)
