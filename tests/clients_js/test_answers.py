"""What the client makes of each close code, of each refusal and of frames that are not the contract's, from a server that is told what
to say: the same one that tells the Python client."""

from __future__ import annotations

import json
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection

from tests.clients_js.runtimes import Node
from tests.taskbeam_client.test_answers import Frame, Server, told
from tests.taskbeam_client.test_not_understood import CHANGE, TASK, UNLIKE_TASKS, answering

_CREATE = """
let given = 0;
const tokens = {token: async () => `token ${given++}`};
const client = newClient(arguments[0], tokens, {backoff: {first: 10, most: 50}, timeout: 10_000});
const made = await outcome(client.create({task: 'A task'}));
"""


async def create(js: Node, server: Server, then: str = "") -> dict[str, Any]:
    """Make a task with a new client: what came of it, and what the client was then."""
    seen: dict[str, Any] = await js.run(
        _CREATE
        + then
        + """
        const {seq, reason, state, statistics} = client;
        await client.close();
        return {...made, seq, state, reason: reason?.name ?? null, text: reason?.message ?? null,
            code: made.code ?? reason?.closeCode ?? null, gaps: statistics.gaps + statistics.duplicates};
        """,
        server.url,
    )
    return seen


@pytest.mark.parametrize("mode", ["auth", "all", "create"])
@pytest.mark.parametrize(
    ("code", "tokens"),
    [(code, 1) for code in (1000, 1001, 1011, 1012, 4008, 4009, 4010)] + [(4001, 2), (4401, 2)],
)
async def test_close_codes_to_come_back_from(js: Node, mode: str, code: int, tokens: int) -> None:
    async with told() as server:
        server.fault(mode, code)
        seen = await create(js, server)
        assert (seen["seq"], len(server.log)) == (1, 1)
        assert len(set(server.tokens)) == tokens
        assert len(server.tokens) == 2


@pytest.mark.parametrize("mode", ["auth", "create"])
@pytest.mark.parametrize(
    ("code", "error"),
    [(4403, "LoggedOut")] + [(code, "ClientDefect") for code in (1003, 1007, 1009, 4003, 4029)],
)
async def test_close_codes_that_end_the_client(js: Node, mode: str, code: int, error: str) -> None:
    async with told() as server:
        server.fault(mode, code)
        seen = await create(js, server)
        assert (seen["error"], seen["state"], seen["reason"]) == (error, "ended", error)
        assert seen["code"] == (code if error == "ClientDefect" else None)
        assert len(server.tokens) == 1


@pytest.mark.parametrize("code", ["rate_limited", "unavailable"])
@pytest.mark.parametrize("mode", ["auth", "all", "sync", "create"])
async def test_what_is_refused_for_now_is_asked_again(js: Node, mode: str, code: str) -> None:
    async with told() as server:
        server.fault(mode, code)
        if mode == "sync":
            server.fault("create", "unavailable")  # so that it looks what has become of it
        seen = await create(js, server)
        assert (seen["seq"], len(server.log)) == (1, 1)
        assert not any(server.faults.values())


async def test_unavailable_though_it_was_done(js: Node) -> None:
    async with told() as server:

        async def done_and_denied(socket: ServerConnection, request: Frame) -> Frame:
            server.answer("create", request)
            return {"type": "error", "message": "Later.", "code": "unavailable", "retry_after": 0.05}

        server.faults["create"] = [done_and_denied]
        seen = await create(js, server)
        assert (seen["value"]["rev"], seen["seq"], len(server.log)) == (1, 1, 1)


@pytest.mark.parametrize("code", ["internal", "limit_reached", "a_code_of_the_future"])
async def test_other_refusals_are_errors_of_the_write(js: Node, code: str) -> None:
    async with told() as server:
        server.fault("create", code)
        seen = await create(js, server, "await client.create({task: 'Another'});")
        assert (seen["error"], seen["code"], seen["seq"]) == ("Refused", code, 1)


async def test_tokens_that_are_refused_again_and_again(js: Node) -> None:
    async with told() as server:
        for _ in range(3):
            server.fault("auth", "token_not_valid")
        assert (await create(js, server))["error"] == "LoggedOut"
        assert server.tokens == ["token 0", "token 1", "token 2"]


async def test_old_tokens_that_are_refused_do_not_count(js: Node) -> None:
    """They end while there is no connection; each new one is lost before it could be used."""
    async with told() as server:
        for _ in range(4):
            server.fault("auth", 1001)
            server.fault("auth", 4001)
        assert (await create(js, server))["seq"] == 1
        assert server.tokens == [f"token {number}" for number in (0, 0, 1, 1, 2, 2, 3, 3, 4)]


@pytest.mark.parametrize(
    ("mode", "answer"),
    [
        ("auth", {"type": "auth", "user_id": 1, "seq": 0}),
        ("auth", {"type": "error"}),
        ("auth", {}),
        ("all", {"type": "task.update", "mode": "all", "seq": 0}),
        ("all", {"type": "task.update", "mode": "all", "task": 7, "seq": 0}),
        ("all", {"type": "task.update", "mode": "all", "task": [TASK], "seq": 0, "count": 1}),
        ("all", {"type": "task.update", "mode": "all", "task": [], "seq": 0, "count": 9}),
        ("all", {"type": "pong", "seq": 0}),
        ("create", {**CHANGE, "task": TASK}),
        ("create", {**CHANGE, "task": None}),
        ("create", {"type": "pong"}),
        ("create", {"type": "error", "message": "Why?"}),
        ("create", {"type": "error", "code": "validation"}),
        ("create", {"type": "error", "code": "validation", "errors": "all"}),
        ("create", {"type": "error", "code": "conflict"}),
    ],
)
async def test_an_answer_that_is_not_understood(js: Node, mode: str, answer: Frame) -> None:
    async with told() as server:
        server.faults[mode] = [answering(answer)]
        seen = await create(js, server)
        assert (seen["error"], seen["reason"]) == ("ClientDefect", "ClientDefect")
        assert len(seen["text"]) < 1000


@pytest.mark.parametrize(
    "text",
    ["no JSON", "[]", "7", "null", '"text"', "[" * 100_000, "{" + '"a":' * 10_000, '{"type": "sync"}', b"{"]
    + [json.dumps({**CHANGE, "task": task}) for task in UNLIKE_TASKS],
)
async def test_a_frame_that_is_not_understood(js: Node, text: str | bytes) -> None:
    async with told() as server:

        async def say(socket: ServerConnection, request: Frame) -> None:
            await socket.send(text)

        server.faults["create"] = [say]
        seen = await create(js, server)
        assert (seen["error"], seen["reason"]) == ("ClientDefect", "ClientDefect")
        assert len(seen["text"]) < 1000


async def test_what_a_later_version_may_send_is_left_alone(js: Node) -> None:
    async with told() as server:

        async def say(socket: ServerConnection, request: Frame) -> Frame:
            for frame in (
                {"type": "presence"},
                {"type": "task.update", "mode": "share", "task": None},
                {"no": "type"},
            ):
                await socket.send(json.dumps(frame))
            return {**server.answer("create", request), "new": "key"}

        server.faults["create"] = [say]
        seen = await create(js, server)
        assert (seen["seq"], seen["state"], seen["gaps"]) == (1, "live", 0)


async def test_a_connection_that_ends_as_soon_as_it_is_live_does_not_reset_the_backoff(js: Node) -> None:
    """Else clients would knock without end at a server that ends each connection after its first frames."""
    async with told() as server:
        for _ in range(40):
            server.fault("create", 1011)
        waited = await js.run(
            """
            const client = newClient(arguments[0], {token: async () => 'token'}, {backoff: {first: 50, most: 400}});
            client.create({task: 'A task'}).catch(() => {});
            const begin = performance.now();
            await until(() => client.statistics.connections === 8);
            const waited = performance.now() - begin;
            await client.close();
            return waited;
            """,
            server.url,
        )
        assert waited > 500, "the waits grow: 25 ms at first, then 200 on average; without growth 200 in all"
