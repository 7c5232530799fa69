"""Connections that authenticate and then do nothing, on one worker: the growth of its proportional set size after each has
answered keep-alive pings, and the CPU that the worker took to accept them. First with few users, then with a user for
each connection."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import cycle, islice
from typing import Final

from benchmarks.cases import Effort
from benchmarks.figures import Spread
from benchmarks.machine import cpu_seconds, memory_bytes
from benchmarks.report import number, percent
from benchmarks.results import Findings, Table
from benchmarks.seed import add_users, open_store
from benchmarks.servers import ROOT, ServerFailed, access_tokens, data_folder, settings_of, system

_CONNECTIONS: Final = 10_000
_FEW_USERS: Final = 100
SETTLE_SECONDS: Final = 2.0
_KEEP_ALIVE_SECONDS: Final = 25.0  # longer than the server's ping interval
PER_PROCESS: Final = 17_000  # a process may open 20,000 files on many machines
_OPEN_SECONDS: Final = 180.0


class IdleConnections:
    """Processes that hold idle connections: ``benchmarks.idle_clients``. Each connects from its own address."""

    def __init__(self, url: str, stack: AsyncExitStack) -> None:
        self._url = url
        self._stack = stack
        self._processes: list[asyncio.subprocess.Process] = []

    async def open(self, tokens: Sequence[str]) -> None:
        """Open an authenticated connection for each token.

        Raises:
            ServerFailed: not all opened.
        """
        started = [
            await self._start(tokens[first : first + PER_PROCESS])
            for first in range(0, len(tokens), PER_PROCESS)
        ]
        if await _answers(started) != len(tokens):
            raise ServerFailed("not all connections opened")

    async def _start(self, tokens: Sequence[str]) -> asyncio.subprocess.Process:
        process = await asyncio.create_subprocess_exec(
            *[
                sys.executable,
                "-m",
                "benchmarks.idle_clients",
                self._url,
                f"127.0.0.{len(self._processes) + 2}",
            ],
            cwd=ROOT,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        self._stack.push_async_callback(_end, process)
        self._processes.append(process)
        assert process.stdin is not None
        process.stdin.write("\n".join([*tokens, "", ""]).encode())
        return process

    @property
    def processes(self) -> int:
        return len(self._processes)

    async def ask(self, command: str) -> int:
        """Send a command to all; returns the sum of their answers."""
        for process in self._processes:
            assert process.stdin is not None
            process.stdin.write(f"{command}\n".encode())
        return await _answers(self._processes)


async def _answers(processes: Sequence[asyncio.subprocess.Process]) -> int:
    total = 0
    async with asyncio.timeout(_OPEN_SECONDS):
        for process in processes:
            assert process.stdout is not None
            line = await process.stdout.readline()
            if not line:
                raise ServerFailed("a process that holds connections exited; its error is above")
            total += int(line)
    return total


@asynccontextmanager
async def idle_connections(url: str) -> AsyncIterator[IdleConnections]:
    """None at first. At the end all are closed."""
    async with AsyncExitStack() as stack:
        yield IdleConnections(url, stack)


async def _end(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    await process.wait()


async def measure(effort: Effort) -> Findings:
    found = Findings()
    rows = []
    pause = _KEEP_ALIVE_SECONDS if effort.whole else SETTLE_SECONDS
    for users, words in ((_FEW_USERS, f"{_FEW_USERS} users"), (_CONNECTIONS, "a user each")):
        with data_folder() as folder:
            async with open_store(settings_of(folder)) as store:
                await add_users(store, users)
            tokens = list(islice(cycle(access_tokens(users)), _CONNECTIONS))
            with system(folder, effort.cores) as ours:
                async with idle_connections(ours.ws_url) as first:
                    # what the server loads for its first clients is not a cost per connection
                    await first.open(tokens[: _CONNECTIONS // 100])
                await asyncio.sleep(SETTLE_SECONDS)
                memory, cpu = memory_bytes(ours.ws_pids), cpu_seconds(ours.ws_pids)
                async with idle_connections(ours.ws_url) as held:
                    await held.open(tokens)
                    accepting = (cpu_seconds(ours.ws_pids) - cpu) / _CONNECTIONS * 1000
                    resting = cpu_seconds(ours.ws_pids)
                    await asyncio.sleep(pause)
                    resting = (cpu_seconds(ours.ws_pids) - resting) / pause
                    growth = (memory_bytes(ours.ws_pids) - memory) / _CONNECTIONS / 1024
                    answered = await held.ask("probe")
        found.at_most(f"memory of an idle connection, {words}", 7.0, "KB", Spread(growth, growth, growth))
        found.at_most(f"CPU for 1,000 accepts, {words}", 0.35, "s", Spread(accepting, accepting, accepting))
        rows.append([words, f"{answered:,} of {_CONNECTIONS:,}", percent(resting), number(memory / 2**20)])
    columns = ["10,000 connections", "probes answered", "CPU while idle", "memory before, MB"]
    found.tables.append(Table("Beside that", columns, rows))
    return found
