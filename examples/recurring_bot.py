"""A bot: a task whose description says "every time" comes again, as soon as it is done. Ctrl-C ends it.

python examples/recurring_bot.py, with REST, SOCKET, NAME and PASSWORD in the environment where they are not the demo's.
"""

from __future__ import annotations

import asyncio
import contextlib
import os

from taskbeam_client import Change, Session, TaskbeamClient

REST = os.environ.get("REST", "http://localhost:8001/")
SOCKET = os.environ.get("SOCKET", "ws://localhost:8000/ws/tasks/")
NAME = os.environ.get("NAME", "ann")
PASSWORD = os.environ.get("PASSWORD", "correct-horse")


async def token() -> str:
    """An access token. The bot has the password, and so runs for longer than a refresh token lives."""
    return await (await Session.login(REST, NAME, PASSWORD))()


async def main() -> None:
    """Follow the changes for ever, through lost connections and restarts of the server."""
    async with TaskbeamClient(SOCKET, token) as client:
        async for event in client.changes():
            if not isinstance(event, Change):
                print(f"{len(event.tasks)} tasks", flush=True)
            elif event.own or event.task is None:  # a bot that answers itself has no end
                continue
            elif event.task.completed and "every time" in event.task.description:
                again = await client.create(event.task.task, event.task.description)
                print(f"again: {again.task}", flush=True)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main())
