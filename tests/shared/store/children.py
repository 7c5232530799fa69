"""Child processes that run one function of a module of programs.

Each says ``ready`` when it could begin and begins when a line comes in; what it found is JSON, a line each.
"""

from __future__ import annotations

import asyncio
import json
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from importlib import import_module
from typing import Any, Final

from tests.support.processes import ROOT

TIMEOUT: Final = 30.0

Program = Callable[..., Coroutine[Any, Any, None]]


class Child:
    """A running program; what it says is read line by line, each within a bounded time."""

    def __init__(self, process: Process) -> None:
        self.process = process

    async def hear(self) -> dict[str, Any]:
        """What it says next. EOFError when it has ended."""
        assert self.process.stdout is not None
        async with asyncio.timeout(TIMEOUT):
            line = await self.process.stdout.readline()
        if not line.endswith(b"\n"):
            raise EOFError
        heard: dict[str, Any] = json.loads(line)
        return heard

    async def ready(self) -> None:
        assert await self.hear() == {"ready": True}

    def start(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(b"start\n")

    async def kill(self) -> None:
        """SIGKILL, and wait for the end."""
        self.process.kill()
        await self.process.wait()

    async def hear_all(self) -> list[dict[str, Any]]:
        """All that it says up to its end."""
        heard = []
        try:
            while True:
                heard.append(await self.hear())
        except EOFError:
            return heard


@asynccontextmanager
async def child(program: Program, *arguments: object) -> AsyncIterator[Child]:
    """A program that is killed at the end, if it is still there."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", __name__, program.__module__, program.__name__),
        *map(str, arguments),
        cwd=ROOT,
        stdin=PIPE,
        stdout=PIPE,
    )
    try:
        yield Child(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def main(module: str, program: str, *arguments: str) -> None:
    asyncio.run(getattr(import_module(module), program)(*arguments))


if __name__ == "__main__":
    main(*sys.argv[1:])
