"""When the server stops, and when it cannot work."""

from __future__ import annotations

import asyncio
import signal
import time
from contextlib import closing
from pathlib import Path

import pytest
import websockets

from tests.support.clients import connected, new_account
from tests.support.frames import create, receive_until
from tests.support.processes import running
from tests.support.raw_websocket import TEXT, RawSocket, raw_socket
from tests.support.write_lock import write_lock_held


@pytest.mark.parametrize(
    ("number", "code", "uvloop"),
    [
        (signal.SIGTERM, 1012, True),
        (signal.SIGTERM, 1012, False),
        (signal.SIGINT, 1001, True),
        (signal.SIGQUIT, 1001, False),
        (signal.SIGHUP, 1012, True),
    ],
)
async def test_a_stop_answers_what_is_in_progress_and_closes_the_rest(
    tmp_path: Path, number: signal.Signals, code: int, uvloop: bool
) -> None:
    with running(tmp_path, uvloop=uvloop) as system:
        account = new_account(system)
        async with (
            connected(system, account.access) as busy,
            connected(system, account.access) as idle,
            connected(system) as nobody,
        ):
            assert system.ws.popen is not None
            with write_lock_held(system):
                await busy.send({"mode": "create", "data": {"task": "In progress"}, "id": 1})
                await busy.send({"mode": "create", "data": {"task": "Not begun"}, "id": 2})
                for _ in range(3):  # by then the first one has been taken up
                    assert (await idle.ask({"mode": "ping"}))["type"] == "pong"
                system.ws.popen.send_signal(number)
                assert await nobody.closed() == code
                assert await idle.closed() == code
            answer = await busy.receive()
            assert (answer["id"], answer["seq"]) == (1, 1)
            assert await busy.closed() == code
        started = time.monotonic()
        assert await asyncio.to_thread(system.ws.popen.wait, 20) == 0
        assert time.monotonic() - started < 2
        assert [task["task"] for task in account.rest("GET", "/").body] == ["In progress"]


@pytest.mark.parametrize("uvloop", [True, False], ids=["uvloop", "asyncio"])
def test_clients_that_do_not_answer_the_close_frame_delay_a_stop_by_two_seconds(
    tmp_path: Path, uvloop: bool
) -> None:
    with running(tmp_path, uvloop=uvloop) as system:
        account = new_account(system)
        half = RawSocket(system)
        half.send(b"GET /ws/tasks/ HTTP/1.1\r\nHost: loc")
        with (
            closing(half.socket),
            raw_socket(system) as stranger,
            raw_socket(system, account.access) as silent,
            raw_socket(system, account.access) as trickling,
        ):
            trickling.send_frame(TEXT, b'{"mode":', final=False)
            assert system.ws.popen is not None
            started = time.monotonic()
            system.ws.popen.terminate()
            with pytest.raises(ConnectionError):
                half.receive_frame()
            assert time.monotonic() - started < 1.5, "a half request is cut at once"
            assert {raw.close_code() for raw in (stranger, silent, trickling)} == {1012}
            assert system.ws.popen.wait(8) == 0
            assert 1.8 < time.monotonic() - started < 5
        system.ws.start()


async def test_a_defect_is_answered_with_a_reference_to_the_log(tmp_path: Path) -> None:
    with running(tmp_path) as system:
        account = new_account(system)
        async with connected(system, account.access) as socket:
            task_id = (await create(socket))["task_id"]
            system.execute("ALTER TABLE tasks RENAME TO elsewhere")
            frame = await socket.ask({"mode": "read", "task_id": task_id, "id": "d"})
            assert list(frame) == ["type", "message", "code", "mode", "task_id", "ref", "id"]
            assert (frame["code"], frame["mode"], frame["id"]) == ("internal", "read", "d")
            assert system.ws.log_lines(frame["ref"])
            assert "elsewhere" not in str(frame)
            assert (await socket.ask({"mode": "create", "data": {"task": "x"}}))["code"] == "internal"
            assert await socket.ask({"mode": "ping"}) == {"type": "pong", "seq": 1}
        answer = account.rest("GET", f"/task/{task_id}/")
        assert (answer.status, list(answer.body)) == (500, ["detail", "ref"])
        assert answer.body["detail"] == "Internal server error."
        assert system.gateway.log_lines(answer.body["ref"])


async def test_without_the_database_writes_are_refused_and_reads_go_on(tmp_path: Path) -> None:
    with running(tmp_path) as system:
        account = new_account(system)
        async with connected(system, account.access) as socket, connected(system, account.access) as reader:
            task = (await create(socket))["task"]
            assert (await reader.receive())["seq"] == 1
            with write_lock_held(system):
                rest = asyncio.create_task(asyncio.to_thread(account.rest, "POST", "/", {"task": "x"}))
                await socket.send({"mode": "create", "data": {"task": "x"}, "id": "u"})
                assert (await reader.ask({"mode": "all"}))["task"] == [task]
                assert (await asyncio.to_thread(account.rest, "GET", "/")).body == [task]
                frame = await socket.receive(timeout=15)
                answer = await rest
            assert list(frame) == ["type", "message", "code", "mode", "retry_after", "id"]
            assert (frame["code"], frame["mode"], frame["id"]) == ("unavailable", "create", "u")
            assert frame["retry_after"] > 0
            assert (answer.status, list(answer.body)) == (503, ["detail"])
            assert int(answer.headers["Retry-After"]) > 0
            assert (await create(socket))["seq"] == 2, "nothing was written, and work goes on"


async def test_clients_come_back_after_a_restart(tmp_path: Path) -> None:
    with running(tmp_path) as system:
        account = new_account(system)
        async with connected(system, account.access) as socket:
            epoch = socket.auth["epoch"]
            await create(socket)
            system.ws.kill()
            assert await socket.closed() == 1006
        account.rest("POST", "/", {"task": "Meanwhile"})
        system.ws.start()
        async with connected(system, account.access) as socket:
            assert (socket.auth["epoch"], socket.auth["seq"]) == (epoch, 2)
            frame = await socket.ask({"mode": "sync", "epoch": epoch, "since": 1})
            assert [change["seq"] for change in frame["changes"]] == [2]


async def test_what_was_acknowledged_survives_a_kill(tmp_path: Path) -> None:
    with running(tmp_path) as system:
        account = new_account(system)
        acknowledged: set[str] = set()

        async def write() -> None:
            try:
                async with connected(system, account.access, push=False) as socket:
                    while True:
                        acknowledged.add((await create(socket))["task_id"])
            except (websockets.ConnectionClosed, OSError):
                pass

        async with connected(system, account.access) as witness, asyncio.TaskGroup() as tasks:
            for _ in range(4):
                tasks.create_task(write())
            await receive_until(witness, lambda frame: frame["seq"] >= 100)
            system.ws.kill()
        listed = account.rest("GET", "/")
        assert acknowledged <= {task["uuid"] for task in listed.body}
        assert listed.headers["X-Taskbeam-Seq"] == str(len(listed.body))
        system.ws.start()
