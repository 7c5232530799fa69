"""The page on clients of one's own: its frames are those of the real server, and its client keeps up with it."""

from __future__ import annotations

import asyncio
import json
import re
import runpy
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any, Final

from tests.support.clients import Account, Socket, connected, new_account
from tests.support.processes import ROOT, System
from tests.support.waiting import until

_PAGE: Final = (ROOT / "docs" / "howto" / "write_your_own_client.md").read_text()
_FRAMES: Final = [
    (arrow, json.loads(text))
    for block in re.findall(r"^```\n(.*?)^```$", _PAGE, re.MULTILINE | re.DOTALL)
    for arrow, text in re.findall(r"^([→←]) (.*?)(?=^[→←]|\Z)", block, re.MULTILINE | re.DOTALL)
]
_OWN: Final = {"uuid", "task_id", "user_id", "epoch", "expires", "time_created", "time_modified"}
"""Keys whose values are each server's own: the page's stands for the same one everywhere on it."""


class _Meaning:
    """What the page's examples of ids and the like stand for."""

    def __init__(self) -> None:
        self._real: dict[str, Any] = {}

    def learn(self, shown: Any, real: Any, key: str = "") -> None:
        """Hold a real frame against the page's."""
        if key in _OWN:
            known = self._real.setdefault(str(shown), real)
            assert type(shown) is type(real)
            assert known == real or key in {"expires", "time_modified"}, f"{key}: {shown}"
        elif isinstance(shown, dict):
            assert isinstance(real, dict)
            assert set(shown) == set(real), (shown, real)
            for name in shown:
                self.learn(shown[name], real[name], name)
        elif isinstance(shown, list):
            assert isinstance(real, list)
            for one, other in zip(shown, real, strict=True):
                self.learn(one, other)
        else:
            assert shown == real, key

    def request(self, shown: dict[str, Any], token: str) -> dict[str, Any]:
        real = {key: self._real.get(value, value) for key, value in shown.items()}
        return real | {"token": token} if "token" in shown else real

    def __getitem__(self, shown: str) -> Any:
        return self._real[shown]


async def test_the_frames_are_those_of_the_server(system: System) -> None:
    account = new_account(system)
    account.rest("POST", "/", {"task": "Buy milk"})
    meaning = _Meaning()
    socket: Socket | None = None
    milk = next(
        frame["task"][0]["uuid"] for _, frame in _FRAMES if frame.get("mode") == "all" and "task" in frame
    )
    elsewhere: dict[tuple[object, object], Callable[[], object]] = {
        ("create", 2): lambda: account.rest("POST", "/", {"task": "Walk the dog"}),
        ("update", 3): lambda: account.rest("PATCH", f"/task/{meaning[milk]}/", {"completed": True}),
    }
    async with AsyncExitStack() as connections:
        for arrow, shown in _FRAMES:
            if arrow == "→":
                if shown.get("type") == "auth":
                    if socket is not None:
                        account.rest("POST", "/", {"task": "Call Bob"})
                    socket = await connections.enter_async_context(connected(system))
                assert socket is not None
                await socket.send(meaning.request(shown, account.access))
            else:
                elsewhere.pop((shown.get("mode"), shown.get("seq")), lambda: None)()
                assert socket is not None
                meaning.learn(shown, await socket.receive())
    assert not elsewhere


def _client(system: System, account: Account, folder: Path) -> Any:
    """The page's client, of an account."""
    code, use = re.findall(r"^```python\n(.*?)^```$", _PAGE, re.MULTILINE | re.DOTALL)
    compile(use, "use", "exec")
    (folder / "client.py").write_text(code)
    names = runpy.run_path(str(folder / "client.py"))

    async def new_token() -> str:
        return account.access

    return names["Client"](system.ws_url, new_token)


async def test_the_client_keeps_up(system: System, tmp_path: Path) -> None:
    account = new_account(system)
    client = _client(system, account, tmp_path)

    async def equals_server() -> None:
        listed = account.rest("GET", "/")
        seq = int(listed.headers["X-Taskbeam-Seq"])
        await until(lambda: client.live and client.seq == seq, 20, "the client is up to date")
        assert client.tasks == {task["uuid"]: task for task in listed.body}

    account.rest("POST", "/", {"task": "Before"})
    running = asyncio.create_task(client.run())
    try:
        await equals_server()
        task = account.rest("POST", "/", {"task": "After"}).body
        account.rest("PATCH", f"/task/{task['uuid']}/", {"completed": True})
        await equals_server()
        seq = client.seq
        await client.send(mode="batch", ops=[{"mode": "create", "data": {"task": f"{n}"}} for n in range(2)])
        await until(lambda: client.seq == seq + 2, 20, "its own batch")
        await equals_server()

        # More than a page of sync, which the connection that is cut does not see.
        client.socket.transport.abort()
        for _ in range(6):
            account.rest("POST", "/batch/", {"ops": [{"mode": "create", "data": {"task": "New"}}] * 100})
        account.rest("DELETE", f"/task/{task['uuid']}/")
        await equals_server()

        client.epoch = "of another database"
        client.tasks["gone"] = {}
        client.socket.transport.abort()
        await until(lambda: not client.live, 20, "the connection ends")
        await equals_server()

        lost = account.rest("POST", "/", {"task": "Lost"}).body["uuid"]
        await equals_server()
        client.seq -= 1  # a change that has not arrived
        del client.tasks[lost]
        account.rest("POST", "/", {"task": "After the gap"})
        await equals_server()
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


async def test_the_client_asks_again_for_what_it_has_not_read_to_the_end(
    system: System, tmp_path: Path
) -> None:
    """Frames in an order that a server seldom has time for."""
    client = _client(system, new_account(system), tmp_path)
    sent: list[object] = []

    async def send(**message: object) -> None:
        sent.append(message.get("mode"))

    client.send = send
    task = {"uuid": "a"}
    page = {
        "type": "sync",
        "recovered": True,
        "changes": [{"mode": "create", "seq": 2, "task_id": "a", "task": task}],
    }
    pushed = {"type": "task.update", "mode": "delete", "task_id": "a", "seq": 9, "task": {}}
    client.epoch, client.seq = "one", 1
    auth = {"type": "auth", "epoch": "two", "seq": 8}
    for frame in (auth, pushed, page | {"seq": 2, "more": True}, pushed):
        await client.take(frame)
    assert client.tasks == {"a": task}
    await client.take({"type": "sync", "recovered": False, "epoch": "two", "seq": 8})
    await client.take(auth)  # the connection was lost before the answer to all
    assert sent == ["sync", "sync", "all", "all"]
