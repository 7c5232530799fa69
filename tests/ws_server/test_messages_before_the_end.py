"""What a client has sent before its end, in whichever way it ends, is carried out once and in order."""

from __future__ import annotations

import asyncio
import random
import socket
import struct
import threading
import time

import pytest

from tests.support.raw_websocket import CLOSE, CONTINUATION, PING, PONG, TEXT, client_frame
from tests.support.waiting import until
from tests.ws_server.open_sockets import ASK, HANDSHAKE, Run, Served, Work, served, streams_of
from ws_server.open_sockets import Timeouts
from ws_server.transport import Socket


def test_an_answer_that_takes_its_time_is_waited_for(run: Run) -> None:
    """The peer has closed its side; that there is nothing to send yet is not its fault."""

    def on_message(socket: Socket, message: str) -> Work:
        async def work() -> None:
            await asyncio.sleep(0.4)
            socket.send(b"done")

        return work()

    async def test() -> None:
        async with (
            served(on_message, Timeouts(close=0.1)) as listener,
            streams_of(listener) as (reader, writer),
        ):
            writer.write(ASK)
            writer.write_eof()
            assert await reader.read() == b"\x81\x04done"
            await until(lambda: not listener.sockets, 5, "it has ended")

    run(test())


def test_what_a_lost_client_had_sent_has_its_time_and_no_more(run: Run) -> None:
    done = list[str]()

    def on_message(socket: Socket, message: str) -> Work:
        async def work() -> None:
            await asyncio.sleep(0.1)
            done.append(message)

        return work()

    async def test() -> None:
        async with served(on_message, Timeouts(work=0.35)) as listener:
            async with streams_of(listener) as (_, writer):
                writer.write(b"".join(client_frame(TEXT, b"%d" % number) for number in range(15)))
                await until(lambda: listener.handlers, 5, "it is open")
                await until(lambda: done, 5, "the first is done")
                reset = struct.pack("ii", 1, 0)
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
            await until(lambda: not listener.sockets, 5, "it has ended")
            assert listener.handlers[0].told == ["gone", "lost"]
            assert [str(number) for number in range(len(done))] == done
            assert 2 <= len(done) < 15

    run(test())


def test_what_the_kernel_had_received_when_sending_failed_is_carried_out(run: Run) -> None:
    done = list[str]()
    begun, ended = threading.Event(), threading.Event()

    def client(port: int) -> None:
        with socket.create_connection(("127.0.0.1", port)) as raw:
            raw.sendall(HANDSHAKE)
            raw.recv(4096)
            raw.sendall(ASK)
            begun.wait(5)
            raw.sendall(ASK * 5)
        ended.set()

    def on_message(socket: Socket, message: str) -> None:
        done.append(message)
        if len(done) == 1:  # the event loop stands still until the client has gone
            begun.set()
            ended.wait(5)
            for _ in range(3):
                socket.send(b"nobody reads this")
                time.sleep(0.05)

    async def test() -> None:
        async with served(on_message) as listener:
            await asyncio.to_thread(client, listener.port)
            await until(lambda: not listener.sockets, 5, "it has ended")
        assert done == ["ask"] * 6

    run(test())


class _Client:
    """One that sends by chance, in pieces by chance, and ends in one of the ways."""

    def __init__(self, chance: random.Random) -> None:
        self.sent = list[str]()
        self._chance = chance
        frames = b""
        for number in range(chance.choice([0, 1, 3, 15, 16, 17, 40, 300])):
            frames += self._noise() + self._message(str(number) + "x" * chance.choice([0, 0, 0, 3000]))
        self.pieces = list[bytes]()
        while frames:
            size = chance.choice([1, 10, 100, 2048, 5000, len(frames)])
            self.pieces.append(frames[:size])
            frames = frames[size:]

    def _noise(self) -> bytes:
        opcode = self._chance.choice([None, None, None, PING, PONG])
        return b"" if opcode is None else client_frame(opcode, b"y" * self._chance.randrange(100))

    def _message(self, text: str) -> bytes:
        self.sent.append(text)
        data = text.encode()
        if self._chance.random() < 0.8:
            return client_frame(TEXT, data)
        cut = self._chance.randrange(len(data) + 1)
        start, end = client_frame(TEXT, data[:cut], final=False), client_frame(CONTINUATION, data[cut:])
        return start + self._noise() + end

    async def run(self, listener: Served) -> None:
        async with streams_of(listener) as (reader, writer):
            reading = asyncio.create_task(reader.read(-1))
            for piece in self.pieces:
                writer.write(piece)
                await asyncio.sleep(0)
            if self._chance.random() < 0.5:
                too_late = client_frame(TEXT, b"too late")
                writer.write(client_frame(CLOSE, b"") + too_late * self._chance.randrange(2))
                for _ in range(3):
                    await asyncio.sleep(0.001)
                    writer.write(too_late)
            else:
                writer.write_eof()
            await reading


@pytest.mark.parametrize("seed", range(12))
def test_all_that_a_client_sends_before_its_end_is_carried_out_once_in_order(run: Run, seed: int) -> None:
    chance = random.Random(seed)
    done: dict[Socket, list[str]] = {}

    def on_message(socket: Socket, message: str) -> Work | None:
        async def work() -> None:
            for _ in range(chance.choice([0, 1, 1, 2])):
                await asyncio.sleep(chance.choice([0, 0, 0, 0.001]))
            socket.send(b"z" * chance.choice([1, 1, 20_000]))
            done.setdefault(socket, []).append(message)

        if chance.random() < 0.3:
            done.setdefault(socket, []).append(message)
            return None
        return work()

    async def test() -> None:
        async with served(on_message) as listener:
            clients = [_Client(chance) for _ in range(4)]
            for client in clients:
                await client.run(listener)
            await until(lambda: not listener.sockets, 20, "all have ended")
            for client, handler in zip(clients, listener.handlers, strict=True):
                assert done.get(handler.socket, []) == client.sent
                ends = [told for told in handler.told if told != "control"]
                assert ends == ["gone", "lost"]

    run(test())
