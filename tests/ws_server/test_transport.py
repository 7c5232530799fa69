"""The socket by itself, with handlers that do what no handler of ours does."""

from __future__ import annotations

import asyncio
import gc
import itertools
import logging
import types

import pytest
import websockets
from websockets.asyncio.client import ClientConnection, connect

from tests.ws_server.open_sockets import Work, client_of, served, streams_of
from ws_server.frames import text_on_the_wire
from ws_server.open_sockets import Timeouts
from ws_server.transport import Socket


async def _waits(times: int) -> None:
    for _ in range(times):
        future = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(future.set_result, None)
        await future


async def test_one_message_after_the_other_however_often_each_waits() -> None:
    busy = 0

    def on_message(socket: Socket, message: str) -> Work | None:
        async def work() -> None:
            nonlocal busy
            busy += 1
            assert busy == 1
            if message.endswith("9"):
                await asyncio.sleep(0)  # a wait that is no future
            await _waits(int(message) % 4)
            if int(message) % 4 > 1:
                async with asyncio.timeout(5):  # it is a task by now
                    await _waits(1)
            socket.send(message.encode())
            busy -= 1

        if message.endswith("5"):
            socket.send(message.encode())
            return None
        return work()

    async with served(on_message) as listener, client_of(listener) as client:
        for number in range(300):
            await client.send(str(number))
        assert [await client.recv() for _ in range(300)] == [str(number) for number in range(300)]


@pytest.mark.parametrize("waits", [-1, 0, 1, 2])
async def test_a_defect_ends_its_own_connection_only(waits: int, caplog: pytest.LogCaptureFixture) -> None:
    def on_message(socket: Socket, message: str) -> Work | None:
        async def work() -> None:
            await _waits(waits)
            if message == "defect":
                raise LookupError("deliberate")
            socket.send(b"done")

        if message == "defect" and waits < 0:
            raise LookupError("deliberate")
        return work()

    async with served(on_message) as listener, client_of(listener) as other, client_of(listener) as client:
        await client.send("defect")
        with pytest.raises(websockets.ConnectionClosedError) as closed:
            await client.recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1011
        await other.send("fine")
        assert await other.recv() == "done"
    assert "deliberate" in caplog.text


@pytest.mark.parametrize("fail", list(itertools.product([False, True], repeat=4)))
@pytest.mark.parametrize("first_is_no_future", [False, True])
async def test_failure_of_what_was_waited_for_is_the_works_to_deal_with(
    fail: tuple[bool, ...], first_is_no_future: bool
) -> None:
    def on_message(socket: Socket, message: str) -> Work:
        async def work() -> None:
            if first_is_no_future:
                await asyncio.sleep(0)
            met = []
            for fails in fail:
                future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                if fails:
                    asyncio.get_running_loop().call_soon(future.set_exception, LookupError("deliberate"))
                else:
                    asyncio.get_running_loop().call_soon(future.set_result, None)
                try:
                    await future
                    met.append(False)
                except LookupError:
                    met.append(True)
            socket.send(str(tuple(met)).encode())

        return work()

    async with served(on_message) as listener, client_of(listener) as client:
        for _ in range(2):
            await client.send("x")
            assert await client.recv() == str(fail)


async def test_what_was_waited_for_may_be_cancelled(caplog: pytest.LogCaptureFixture) -> None:
    def on_message(socket: Socket, message: str) -> Work:
        async def work() -> None:
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            asyncio.get_running_loop().call_soon(future.cancel)
            await future

        return work()

    async with served(on_message) as listener, client_of(listener) as client:
        await client.send("x")
        with pytest.raises(websockets.ConnectionClosedError):
            await client.recv()
    assert "CancelledError" in caplog.text


async def test_messages_wait_in_order_while_the_reader_is_slow() -> None:
    def on_message(socket: Socket, message: str) -> None:
        socket.send(message.encode() + b" " * 100_000)

    async with served(on_message) as listener, client_of(listener) as client:
        sending = asyncio.create_task(_send_all(client, 200))
        await asyncio.sleep(0.1)  # by now 20 MB would have been answered
        received = [str(await client.recv()).strip() for _ in range(200)]
        await sending
        assert received == [str(number) for number in range(200)]


async def _send_all(client: ClientConnection, count: int) -> None:
    for number in range(count):
        await client.send(str(number))


async def test_a_silent_socket_keeps_nothing_of_what_its_client_sent() -> None:
    """Neither the handshake's headers nor the last message: memory, and a token in it."""
    secret = "a-text-that-is-nowhere-else"

    def on_message(socket: Socket, message: str) -> None:
        socket.send(b"done")

    async with (
        served(on_message) as listener,
        connect(f"ws://127.0.0.1:{listener.port}/", additional_headers={"X-Secret": secret}) as client,
    ):
        await client.send(secret)
        await client.recv()
        socket = listener.handlers[0].socket
        kept = _texts_kept_by(socket._parser)
        assert not any(secret in text for text in kept)
        socket.data_received(b"\x01\x80\0\0\0\0")  # the first fragment of a message
        socket.data_received(b"\x80\x9c\0\0\0\0" + secret.encode()[:27])
        kept = _texts_kept_by(socket._parser)
        assert any(secret[:27] in text for text in kept), "the search finds what is still to be parsed"


def _texts_kept_by(root: object) -> list[str]:
    found, seen, waiting = list[str](), set[int](), [root]
    while waiting:
        item = waiting.pop()
        if id(item) in seen or isinstance(
            item, (type, types.ModuleType, types.FunctionType, types.CodeType, logging.Logger)
        ):
            continue
        seen.add(id(item))
        if isinstance(item, (bytes, bytearray)):
            found.append(item.decode(errors="replace"))
        elif isinstance(item, str):
            found.append(item)
        else:
            waiting += gc.get_referents(item)
    return found


async def test_a_client_that_keeps_sending_after_the_close_frame_is_cut() -> None:
    def on_message(socket: Socket, message: str) -> None:
        socket.close(4000, "enough")

    timeouts = Timeouts(close=0.3)
    async with served(on_message, timeouts) as listener, streams_of(listener) as (reader, writer):
        writer.write(b"\x81\x81\0\0\0\0x")
        assert (await reader.read(100))[0] == 0x88
        async with asyncio.timeout(3):
            while listener.sockets:
                writer.write(b"\x89\x80\0\0\0\0")  # a ping instead of the answer
                await asyncio.sleep(0.05)


async def test_a_text_is_the_same_for_every_socket_on_the_wire() -> None:
    def on_message(socket: Socket, message: str) -> None:
        data = text_on_the_wire(message.encode() * 100_000)
        for handler in listener.handlers:
            handler.socket.send_on_the_wire(data)
        socket.close(4000, "")
        socket.send_on_the_wire(data)  # nothing follows a close frame

    async with served(on_message) as listener, client_of(listener) as first, client_of(listener) as second:
        await first.send("ä")
        assert await first.recv() == await second.recv() == "ä" * 100_000
        with pytest.raises(websockets.ConnectionClosedError):
            await first.recv()
