"""A client that stops reading is closed; nobody else notices."""

from __future__ import annotations

import asyncio
import json
import struct
import time

import psutil

from tests.support.clients import connected, new_account
from tests.support.frames import Frame
from tests.support.processes import System
from tests.support.raw_websocket import CLOSE, TEXT, RawSocket, raw_socket
from tests.support.waiting import wait_until

TEXT_OF_10_000 = "\U0001f600" * 10_000  # 40 KB a frame
FRAMES = 250  # 10 MB: more than the kernel takes for one connection


async def test_a_reader_that_stops_is_closed_while_others_keep_their_pace(low_limits_system: System) -> None:
    account = new_account(low_limits_system)
    stranger = new_account(low_limits_system)
    path = f"/task/{account.rest('POST', '/', {'task': 'Big'}).body['uuid']}/"

    def write() -> None:
        for _ in range(FRAMES):
            assert account.rest("PATCH", path, {"description": TEXT_OF_10_000}).status == 200

    with raw_socket(low_limits_system, account.access, receive_buffer=4096) as slow:
        async with connected(low_limits_system, account.access) as quick:
            writing = asyncio.create_task(asyncio.to_thread(write))
            seqs, longest = [], 0.0
            for _ in range(FRAMES):
                started = time.monotonic()
                seqs.append((await quick.receive())["seq"])
                longest = max(longest, time.monotonic() - started)
            await writing
            assert seqs == list(range(2, FRAMES + 2))
            assert longest < 2, "nobody waits for the slow one"
            async with connected(low_limits_system, stranger.access) as other:
                assert (await other.ask({"mode": "ping"}))["type"] == "pong"
            heard, code = await asyncio.to_thread(_read_on, slow)
    assert code == 4008
    assert [frame["seq"] for frame in heard] == list(range(2, len(heard) + 2)), "in order to the last"
    assert len(heard) < FRAMES


def _read_on(slow: RawSocket) -> tuple[list[Frame], int]:
    """What had been sent to it before the close frame, and the close code."""
    heard: list[Frame] = []
    while True:
        opcode, payload = slow.receive_frame()
        if opcode == CLOSE:
            return heard, struct.unpack("!H", payload[:2])[0]
        assert opcode == TEXT
        heard.append(json.loads(payload))


def test_a_reader_that_never_reads_again_is_cut_within_ten_seconds(low_limits_system: System) -> None:
    account = new_account(low_limits_system)
    path = f"/task/{account.rest('POST', '/', {'task': 'Big'}).body['uuid']}/"
    with raw_socket(low_limits_system, account.access, receive_buffer=4096) as stuck:
        port = stuck.socket.getsockname()[1]

        def is_connected() -> bool:
            connections = psutil.Process(low_limits_system.ws.pid).net_connections("tcp")
            return any(connection.raddr and connection.raddr.port == port for connection in connections)

        for _ in range(FRAMES):
            account.rest("PATCH", path, {"description": TEXT_OF_10_000})
        assert is_connected()
        wait_until(lambda: not is_connected(), 11, "the connection is cut")


async def test_large_answers_wait_for_their_reader(system: System) -> None:
    """Someone who asks for much and reads slowly is not too slow: the server waits before it reads on."""
    account = new_account(system)
    ops = [{"mode": "create", "data": {"task": "x", "description": "d" * 2000}}] * 100
    for _ in range(5):
        account.rest("POST", "/batch/", {"ops": ops})
    with raw_socket(system, account.access, receive_buffer=4096) as raw:
        for number in range(20):  # 20 MB of answers
            raw.send_json({"mode": "all", "id": number})
        for number in range(20):
            frame = raw.receive_json()
            assert (frame["id"], len(frame["task"])) == (number, 500)
