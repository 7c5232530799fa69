"""Runs conversations with a real process, many at a time, and checks the process afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Callable, Iterable, Iterator
from random import Random
from typing import Final, NamedTuple

import psutil

from tests.fuzz.answers import Malformed, check
from tests.fuzz.mutation import split
from tests.support.processes import Process
from tests.support.raw_http import ask
from tests.support.waiting import wait_until

_AT_ONCE: Final = 32
_QUIET_SECONDS: Final = 0.05  # of silence, then we shut down our side
_END_SECONDS: Final = 15.0  # longer than any time limit of the servers for a silent client
_GROWTH_MAX_BYTES: Final = 48 * 2**20
_READ_MAX_BYTES: Final = 2**24


class Conversation(NamedTuple):
    """What is sent, piece by piece. ``name``: the seed and the number that generate it."""

    name: str
    pieces: tuple[bytes, ...]


class Failure(NamedTuple):
    conversation: Conversation
    reason: str

    def __str__(self) -> str:
        return f"{self.reason}\n    {self.conversation!r}"


def generated(seed: int, make: Callable[[Random], bytes]) -> Iterator[Conversation]:
    """Endless; the same conversations for the same seed."""
    number = 0
    while True:
        random = Random(f"{seed}:{number}")
        yield Conversation(f"{seed}:{number}", split(make(random), random))
        number += 1


async def run_all(
    process: Process, conversations: Iterable[Conversation], token: str, seconds: float
) -> list[Failure]:
    """Run all conversations, or as many as there is time for. ``$TOKEN`` in them is replaced by a valid token."""
    failures: list[Failure] = []
    waiting, deadline = iter(conversations), time.monotonic() + seconds

    async def run_some() -> None:
        while time.monotonic() < deadline and (conversation := next(waiting, None)) is not None:
            pieces = [piece.replace(b"$TOKEN", token.encode()) for piece in conversation.pieces]
            try:
                received, was_reset = await _exchange(process.port, pieces)
                check(received)
                if not (received or was_reset) and b"\r\n\r\n" in b"".join(pieces).lstrip(b"\r\n"):
                    raise Malformed("no answer")
                if token.encode() in received:
                    raise Malformed("the token is repeated")
            except (Malformed, OSError, ValueError, TimeoutError) as error:
                failures.append(Failure(conversation, f"{type(error).__name__}: {error}"))

    async with asyncio.TaskGroup() as tasks:
        for _ in range(_AT_ONCE):
            tasks.create_task(run_some())
    return failures


async def _exchange(port: int, pieces: list[bytes]) -> tuple[bytes, bool]:
    """Returns what the server sends until it closes, and whether it reset the connection. It must close once we have."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    received, was_reset = b"", False
    try:
        async with asyncio.timeout(_END_SECONDS):
            for piece in pieces:
                writer.write(piece)
                await asyncio.sleep(0)
            is_open = True
            while len(received) < _READ_MAX_BYTES:
                try:
                    async with asyncio.timeout(_QUIET_SECONDS if is_open else None):
                        data = await reader.read(65536)
                except TimeoutError:
                    if not is_open:
                        raise
                    is_open = False
                    with contextlib.suppress(OSError):
                        writer.write_eof()
                    continue
                except ConnectionError:
                    was_reset = True
                    break
                if not data:
                    break
                received += data
    finally:
        writer.transport.abort()
    return received, was_reset


class ProcessCheck:
    """Records a process's memory and open files. ``run`` asserts that it still works, has not grown, and logged no
    error and no token."""

    def __init__(self, process: Process, token: str) -> None:
        self._process = process
        self._token = token
        self._memory = psutil.Process(process.pid).memory_info().rss
        self._files = self._open_files()

    def _open_files(self) -> int:
        return len(os.listdir(f"/proc/{self._process.pid}/fd"))

    def run(self) -> None:
        probe = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        assert ask(self._process.port, probe).status == 200
        log = self._process.log.read_text(errors="replace")
        assert "Traceback" not in log, log[log.index("Traceback") - 500 :][:3000]
        assert self._token not in log
        for level in (" ERROR ", " CRITICAL "):
            assert level not in log, log[log.index(level) - 500 :][:3000]
        growth = psutil.Process(self._process.pid).memory_info().rss - self._memory
        assert growth < _GROWTH_MAX_BYTES, f"grew by {growth >> 20} MiB"
        wait_until(lambda: self._open_files() <= self._files + 2, 20, "connections are closed")
