"""One client in a runtime, as a test drives it."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

from tests.clients_js.runtimes import Runtime
from tests.support.clients import Account
from tests.support.processes import System
from tests.taskbeam_client.support import rest, server_tasks

__all__ = ["JsClient", "new_client", "rest", "server_tasks"]

_names = itertools.count(1)

_NEW = """
const [name, url, rest, refresh, options] = arguments;
c[name] = newClient(url, new taskbeam.Session(rest, refresh), options);
"""


class JsClient:
    """A client of an account. Its scripts find it as ``client``, and keep in ``c`` what the next ones shall find."""

    def __init__(self, runtime: Runtime, name: str, account: Account) -> None:
        self._runtime = runtime
        self._name = name
        self._account = account

    async def run(self, script: str, *arguments: object) -> Any:
        """The value of an async function's body."""
        head = f"const client = c.{self._name};\n"
        return await self._runtime.run(head + script, *arguments)

    async def get(self, expression: str, *arguments: object) -> Any:
        return await self.run(f"return {expression};", *arguments)

    async def until(self, condition: str) -> None:
        await self.run(f"await until(() => {condition}, arguments[0])", condition)

    async def close(self) -> None:
        await self.run("await client.close(); delete c[arguments[0]]", self._name)

    async def equals_server(self) -> None:
        """Wait until the copy has the server's seq and nothing waits, and compare everything, the preview too."""
        await self.until("client.waiting === 0")
        seq, tasks = await server_tasks(self._account)
        await self.until(f"client.seq >= {seq}")
        mine = await self.get(
            "{seq: client.seq, tasks: [...client.tasks.values()], preview: [...client.preview.values()]}"
        )
        assert mine == {"seq": seq, "tasks": tasks, "preview": tasks}


async def new_client(
    runtime: Runtime, system: System, account: Account, *, url: str | None = None, **options: object
) -> JsClient:
    """A client that is live. ``url``: a relay's; ``options`` are the client's own."""
    client = await begin_client(runtime, system, account, url=url, **options)
    await client.run("await client.ready()")
    return client


async def begin_client(
    runtime: Runtime, system: System, account: Account, *, url: str | None = None, **options: object
) -> JsClient:
    """A client that has just begun."""
    name = f"client_{next(_names)}"
    await runtime.run(_NEW, name, url or system.ws_url, system.rest_url, account.refresh, options)
    return JsClient(runtime, name, account)


async def in_thread(*steps: Any) -> None:
    """Starting and stopping processes blocks."""
    for step in steps:
        await asyncio.to_thread(step)
