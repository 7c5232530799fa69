"""How long a socket lives: slow readers, silent ones, those who are gone, and what is left of them in memory."""

from __future__ import annotations

import asyncio
import gc
import logging
import time
from contextlib import suppress

import pytest
from websockets.frames import Opcode

from tests.support.raw_websocket import CLOSE, PING, PONG, TEXT, client_frame
from tests.support.waiting import until
from tests.ws_server.open_sockets import ASK, Run, Served, client_of, served, streams_of
from ws_server.open_sockets import Timeouts
from ws_server.transport import Socket

MIB = 1 << 20
ANSWER = 12 * MIB  # more than the kernel takes by itself


def answers_much(socket: Socket, message: str) -> None:
    socket.send(b"x" * ANSWER)


def answers(socket: Socket, message: str) -> None:
    socket.send(message.encode())


async def _read(reader: asyncio.StreamReader, count: int, pause: float) -> int:
    """Read so many bytes, some 100 KB at a time; how many came before the end."""
    got = 0
    while got < count and (data := await reader.read(100_000)):
        got += len(data)
        await asyncio.sleep(pause * len(data) / 100_000)
    return got


@pytest.mark.parametrize("ends", [False, True], ids=["open", "closing"])
def test_a_slow_reader_gets_its_complete_answer(run: Run, ends: bool) -> None:
    """It takes some ten times as long as a ping may be unanswered, or a close frame."""

    def on_message(socket: Socket, message: str) -> None:
        answers_much(socket, message)
        if ends:
            socket.close(4401, "token expired")

    async def test() -> None:
        timeouts = Timeouts(ping=0.15, close=0.15)
        async with served(on_message, timeouts) as listener, streams_of(listener, 65536) as (reader, writer):
            keep_alive = asyncio.create_task(listener.keep_alive())
            writer.write(ASK)
            started = time.monotonic()
            assert await _read(reader, ANSWER, 0.015) >= ANSWER
            assert time.monotonic() - started > 10 * timeouts.ping
            assert not keep_alive.done()
            keep_alive.cancel()

    run(test())


def test_a_client_that_reads_nothing_is_given_up_with_a_line_in_the_log(
    run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    async def test() -> None:
        timeouts = Timeouts(ping=0.1, close=0.1)
        async with served(answers_much, timeouts) as listener, streams_of(listener, 4096) as (_, writer):
            keep_alive = asyncio.create_task(listener.keep_alive())
            writer.write(ASK)
            await until(lambda: not listener.sockets, 5, "it is cut")
            keep_alive.cancel()

    with caplog.at_level(logging.INFO, "ws_server"):
        run(test())
    (line,) = [record for record in caplog.records if record.name.startswith("ws_server")]
    assert line.levelno == logging.INFO
    assert "gave up a connection of ('127.0.0.1'" in line.getMessage()


def test_a_client_that_does_not_answer_is_given_up(run: Run) -> None:
    async def test() -> None:
        timeouts = Timeouts(ping=0.1, close=0.1)
        async with served(answers, timeouts) as listener, streams_of(listener) as (reader, _):
            keep_alive = asyncio.create_task(listener.keep_alive())
            async with asyncio.timeout(5):
                heard = await reader.read()
            assert heard == b"\x89\x00" + b"\x88\x18" + (1011).to_bytes(2, "big") + b"keepalive ping timeout"
            keep_alive.cancel()

    run(test())


def test_a_client_that_answers_stays_connected(run: Run) -> None:
    async def test() -> None:
        async with served(answers, Timeouts(ping=0.03)) as listener, client_of(listener) as client:
            keep_alive = asyncio.create_task(listener.keep_alive())
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(client.recv(), 0.5)
            await client.send("still here")
            assert await client.recv() == "still here"
            keep_alive.cancel()

    run(test())


def test_one_that_has_closed_its_side_and_reads_nothing_is_cut(run: Run) -> None:
    async def test() -> None:
        async with (
            served(answers_much, Timeouts(close=0.2)) as listener,
            streams_of(listener, 4096) as (_, writer),
        ):
            writer.write(ASK)
            writer.write_eof()
            await until(lambda: listener.handlers, 5, "it is open")
            await until(lambda: not listener.sockets, 5, "it is cut")
            assert listener.handlers[0].told == ["gone", "lost"]

    run(test())


def test_only_the_latest_ping_of_a_piece_is_answered(run: Run) -> None:
    async def test() -> None:
        async with served(answers) as listener, streams_of(listener) as (reader, writer):
            writer.write(b"".join(client_frame(PING, b"%d" % number) for number in range(10)) + ASK)
            assert await reader.readexactly(3 + 5) == b"\x8a\x019" + b"\x81\x03ask"
            assert listener.handlers[0].told == ["control"] * 10
            writer.write(client_frame(PONG, b"unasked for") + ASK)
            assert await reader.readexactly(5) == b"\x81\x03ask"
            assert listener.handlers[0].told == ["control"] * 11

    run(test())


def test_a_flood_of_small_frames_does_not_block_other_connections(run: Run) -> None:
    """One client's frames are parsed a few at a time, however many came at once."""

    async def test() -> None:
        async with (
            served(answers) as listener,
            streams_of(listener) as (_, flooder),
            client_of(listener) as client,
        ):
            flood = client_frame(Opcode.PONG, b"") * 40_000
            longest = 0.0
            for _ in range(20):
                flooder.write(flood[:240_000])
                started = time.monotonic()
                await client.send("still here")
                await client.recv()
                longest = max(longest, time.monotonic() - started)
            assert longest < 0.5
            parsed = len(listener.handlers[0].told)
            await until(lambda: len(listener.handlers[0].told) > parsed, 5, "and the flood goes on")

    run(test())


def test_a_client_that_floods_after_our_close_frame_is_cut(run: Run) -> None:
    def on_message(socket: Socket, message: str) -> None:
        socket.close(4000, "enough")

    async def test() -> None:
        async with served(on_message) as listener, streams_of(listener) as (_, writer):
            writer.write(ASK)
            await until(lambda: listener.handlers, 5, "it is open")
            with suppress(ConnectionError):
                for _ in range(200):
                    writer.write(client_frame(TEXT, b"x" * 60_000))
                    await writer.drain()
            await until(lambda: not listener.sockets, 5, "it is cut")

    run(test())


async def _comes_and_goes(listener: Served, way: int) -> None:
    """A client in one of the ways in which connections end."""
    async with streams_of(listener) as (reader, writer):
        writer.write(ASK)
        await reader.readexactly(5)
        if way == 0:
            writer.write(client_frame(CLOSE, b""))
            await reader.read()
        elif way == 1:
            writer.write(ASK)
            writer.write_eof()
            await reader.read()
        elif way == 2:
            writer.write(b"\x83\x80\0\0\0\0")  # a reserved opcode
            await reader.read()
        elif way == 3:
            listener.handlers[-1].socket.close(4000, "")
            await reader.readexactly(4)
        # else it is cut


def test_what_has_ended_is_freed_without_the_collector(run: Run) -> None:
    kinds = ("Socket", "Protocol", "StreamReader", "Scripted", "TCPTransport", "generator")

    def alive() -> dict[str, int]:
        names = [type(item).__name__ for item in gc.get_objects()]
        return {kind: names.count(kind) for kind in kinds}

    async def test() -> None:
        async with served(answers) as listener:
            for way in range(5):
                await _comes_and_goes(listener, way)
            gc.collect()
            gc.disable()
            try:
                await until(lambda: not listener.sockets, 5, "all have ended")
                before = alive()
                for number in range(100):
                    await _comes_and_goes(listener, number % 5)
                await until(lambda: not listener.sockets, 5, "all have ended")
                listener.handlers.clear()
                await asyncio.sleep(0)
                after = alive()
            finally:
                gc.enable()
            # asyncio's own transports, in Python, are circles of their own; and these clients' streams.
            client_side = {"StreamReader", "generator"}
            grown = {kind: after[kind] - before[kind] for kind in kinds if kind not in client_side}
            assert all(number < 20 for number in grown.values()), grown

    run(test())


def test_a_stop_gives_two_seconds_to_clients_that_have_all_their_frames(run: Run) -> None:
    async def test() -> None:
        timeouts = Timeouts(stop=0.3)
        async with (
            served(answers_much, timeouts) as listener,
            streams_of(listener, 65536) as (reader, writer),
            streams_of(listener) as (silent, _),
        ):
            writer.write(ASK)
            await reader.readexactly(10)
            for handler in listener.handlers:
                handler.socket.close(1012, "")
            loop = asyncio.get_running_loop()
            started = loop.time()
            draining = asyncio.create_task(listener.drain(20))
            await until(lambda: len(listener.sockets) == 1, 5, "the silent one is cut")
            assert 0.25 < loop.time() - started < 2
            assert await silent.read() == b"\x88\x02\x03\xf4"
            assert await _read(reader, ANSWER, 0.02) >= ANSWER, "the slow one is given its answer"
            assert await asyncio.wait_for(draining, 5) == 0

    run(test())


def test_a_stop_is_bounded(run: Run) -> None:
    async def test() -> None:
        async with (
            served(answers_much) as listener,
            streams_of(listener, 4096) as (reader, writer),
        ):
            writer.write(ASK)
            await reader.readexactly(10)
            for handler in listener.handlers:
                handler.socket.close(1012, "")
            assert await asyncio.wait_for(listener.drain(0.5), 5) == 1
            await until(lambda: not listener.sockets, 5, "it is cut")

    run(test())
