"""Every operation on databases of different sizes, in alternating windows, with 64 requests in flight. First three users of
one database, who have 1,000, 10,000 and 100,000 tasks. Then databases of 1,000 to 1,000,000 tasks, of users with 50 tasks
each, whose rows are mixed; there, requests go to 640 connections of different users in turn. "Create" alternates with
the delete of the created task, so that no size grows. A list is the first 50 tasks over REST, a sync the user's last 50
changes. A ratio compares the throughput at the smallest size with that at the largest. Last, one connection requests
`all` of 10,000 tasks again and again, while another user's connection pings."""

from __future__ import annotations

import asyncio
import itertools
import random
import re
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from time import perf_counter
from typing import Any, Final, NamedTuple

from benchmarks.cases import Effort
from benchmarks.cases.rest import OK
from benchmarks.cases.websocket import create, read, update
from benchmarks.closed_loop import ClosedLoop, Window, alternate
from benchmarks.figures import Spread, ratios
from benchmarks.http_load import connect as connect_http
from benchmarks.http_load import request
from benchmarks.report import number
from benchmarks.results import Curve, Findings, Plot, Table
from benchmarks.seed import add_tasks, add_users, open_store
from benchmarks.servers import System, access_token, data_folder, settings_of, system
from benchmarks.websocket_load import Client, connect_all, uuids

_OF_ONE_USER: Final = (1_000, 10_000, 100_000)
_IN_ALL: Final = (1_000, 10_000, 100_000, 1_000_000)
_EACH: Final = 50  # tasks of a user where there are many users
_IN_FLIGHT: Final = 64
_USERS: Final = 640  # that requests go to, where there are as many
_SAMPLED: Final = 20  # pages of tasks that a connection uses
_PAGE: Final = 50
_BOUND: Final = 1.3

_TASK: Final = b'"type":"task.update"'
_SEQ: Final = re.compile(rb'"seq":(\d+)')
_EPOCH: Final = re.compile(rb'"epoch":"([^"]+)"')

_ALL_TASKS: Final = 10_000
_ALL_TIMES: Final = 10
_QUIET_SECONDS: Final = 1.0
_PING_PAUSE_SECONDS: Final = 0.001


class _RotatingPeer:
    """A peer of a closed loop that uses several connections in turn, with one request in flight."""

    def __init__(self, clients: Sequence[Client]) -> None:
        self._clients = deque(clients)
        self.on_answer: Callable[[Any, bytes], None] = lambda _, __: None
        self.sent = 0.0

    @property
    def client(self) -> Client:
        """The connection that sends the next request."""
        return self._clients[0]

    def rotate(self) -> Client:
        """Switch to the next connection."""
        self._clients.rotate()
        return self._clients[0]

    def send(self, message: bytes) -> None:
        self.client.on_answer = self._answered
        self.client.send(message)

    def _answered(self, _: Client, frame: bytes) -> None:
        self.on_answer(self, frame)


class _Size(NamedTuple):
    """A system of one size: its WebSocket peers, and the tokens of their users."""

    tasks: int
    peers: list[_RotatingPeer]
    tokens: list[str]
    ours: System


async def measure(effort: Effort) -> Findings:
    found = Findings()
    with ExitStack() as stack:
        sizes = await _sizes_of_one_user(stack, effort)
        await _compare(effort, found, "tasks of one user", "growth_of_one_user", sizes)
        await _stall(found, sizes[0].ours)
    with ExitStack() as stack:
        sizes = await _sizes_in_all(stack, effort)
        await _compare(effort, found, "tasks in all", "growth_in_all", sizes)
    return found


async def _sizes_of_one_user(stack: ExitStack, effort: Effort) -> list[_Size]:
    """One system; user 4 is the one who pings."""
    folder = stack.enter_context(data_folder())
    async with open_store(settings_of(folder)) as store:
        await add_users(store, len(_OF_ONE_USER) + 1)
        for user_id, tasks in enumerate(_OF_ONE_USER, 1):
            await add_tasks(store, range(user_id, user_id + 1), tasks)
    ours = stack.enter_context(system(folder, effort.cores))
    return [
        await _size(tasks, ours, [access_token(user_id)] * _IN_FLIGHT, tasks)
        for user_id, tasks in enumerate(_OF_ONE_USER, 1)
    ]


async def _sizes_in_all(stack: ExitStack, effort: Effort) -> list[_Size]:
    sizes = []
    for tasks in _IN_ALL if effort.whole else _IN_ALL[:-1]:
        folder = stack.enter_context(data_folder())
        users = tasks // _EACH
        async with open_store(settings_of(folder)) as store:
            await add_users(store, users)
            await add_tasks(store, range(1, users + 1), _EACH)
        ours = stack.enter_context(system(folder, effort.cores))
        chosen = random.sample(range(1, users + 1), min(_USERS, users))
        tokens = [access_token(user_id) for user_id in itertools.islice(itertools.cycle(chosen), _USERS)]
        sizes.append(await _size(tasks, ours, tokens, _EACH))
    return sizes


async def _size(tasks: int, ours: System, tokens: list[str], each: int) -> _Size:
    """Opens the connections; each learns of tasks all over its user's, ``each`` of them."""
    clients = await connect_all(ours.ws_url, tokens, push=False)
    known: dict[str, list[str]] = {}
    for token, client in zip(tokens, clients, strict=True):
        if token not in known:
            offsets = random.sample(range(0, each, _PAGE), min(_SAMPLED, each // _PAGE))
            pages = [b'{"mode":"all","limit":%d,"offset":%d}' % (_PAGE, offset) for offset in offsets]
            known[token] = [uuid for page in pages for uuid in uuids(await client.ask(page))]
            random.shuffle(known[token])
        client.tasks = known[token]
    peers = [_RotatingPeer(clients[first::_IN_FLIGHT]) for first in range(_IN_FLIGHT)]
    return _Size(tasks, peers, tokens, ours)


def _read(peer: _RotatingPeer, answer: bytes) -> bytes:
    return read(peer.rotate(), answer)


def _update(peer: _RotatingPeer, answer: bytes) -> bytes:
    return update(peer.rotate(), answer)


def _create_delete(peer: _RotatingPeer, answer: bytes) -> bytes:
    if b'"mode":"create"' in answer[:120]:
        return b'{"mode":"delete","task_id":"%b"}' % uuids(answer)[0].encode()
    return create(peer.rotate(), answer)


async def _compare(effort: Effort, found: Findings, axis: str, name: str, sizes: list[_Size]) -> None:
    if not effort.whole:
        sizes = [sizes[0], sizes[-1]]
    windows_of: dict[str, list[list[Window]]] = {}
    for operation in ("read", "list of 50", "sync of 50", "update", "create and delete"):
        loops = [await _loop(operation, size) for size in sizes]
        windows_of[operation] = await alternate(min(effort.rounds, 5), effort.seconds, loops)
    for operation, windows in windows_of.items():
        smallest, largest = ([window.rate for window in side] for side in (windows[0], windows[-1]))
        what = f"{operation}: {sizes[0].tasks:,} {axis}, to {sizes[-1].tasks:,}"
        found.at_most(what, _BOUND, "×", ratios(smallest, largest))
    rows, rates, tails = [], [], []
    x = [float(size.tasks) for size in sizes]
    for operation, windows in windows_of.items():
        rate = [Spread.of([window.rate for window in side]).median for side in windows]
        tail = [Spread.of([window.p99 for window in side]).median for side in windows]
        rows.append([operation, *[f"{number(a)}; {number(b)}" for a, b in zip(rate, tail, strict=True)]])
        rates.append(Curve(operation, x, rate))
        tails.append(Curve(operation, x, tail))
    columns = [axis, *[f"{size.tasks:,}" for size in sizes]]
    found.tables.append(Table(f"Operations a second; p99 in ms, against {axis}", columns, rows))
    found.plots.append(Plot(f"{name}_rate", axis, "operations a second", rates))
    found.plots.append(Plot(f"{name}_p99", axis, "p99, ms", tails))


async def _loop(operation: str, size: _Size) -> ClosedLoop[Any]:
    pids = [*size.ours.ws_pids, size.ours.rest_pid]
    if operation == "list of 50":
        # Only now: the gateway closes what says nothing for as long as the sizes take to be made.
        listers = await connect_http(size.ours.rest_port, _IN_FLIGHT)
        lists = {
            client: request("GET", f"/?limit={_PAGE}", token)
            for client, token in zip(listers, size.tokens, strict=False)
        }
        return ClosedLoop(listers, lambda client, _: lists[client], OK, pids)
    if operation == "sync of 50":
        return ClosedLoop(size.peers, await _syncs(size), b'"recovered":true', pids)
    requests = {"read": _read, "update": _update, "create and delete": _create_delete}[operation]
    return ClosedLoop(size.peers, requests, _TASK, pids)


async def _syncs(size: _Size) -> Callable[[_RotatingPeer, bytes], bytes]:
    """Sync requests for the latest changes of each connection's user."""
    requests: dict[Client, bytes] = {}
    for peer in size.peers:
        for _ in range(_USERS // _IN_FLIGHT):
            client = peer.rotate()
            if client not in requests:
                answer = await client.ask(b'{"mode":"sync","epoch":"another","since":0}')
                epoch, seq = _EPOCH.search(answer), _SEQ.search(answer)
                assert epoch is not None
                assert seq is not None
                requests[client] = b'{"mode":"sync","epoch":"%b","since":%d}' % (
                    epoch[1],
                    int(seq[1]) - _PAGE,
                )
    return lambda peer, _: requests[peer.rotate()]


async def _stall(found: Findings, ours: System) -> None:
    asking, pinging = await connect_all(
        ours.ws_url, [access_token(_OF_ONE_USER.index(_ALL_TASKS) + 1), access_token(len(_OF_ONE_USER) + 1)]
    )
    pings: list[float] = []

    async def ping() -> None:
        while True:
            began = perf_counter()
            await pinging.ask(b'{"mode":"ping"}')
            pings.append(perf_counter() - began)
            await asyncio.sleep(_PING_PAUSE_SECONDS)

    answers = []
    async with asyncio.TaskGroup() as tasks:
        pinger = tasks.create_task(ping())
        await asyncio.sleep(_QUIET_SECONDS)
        quiet, pings = max(pings), []
        for _ in range(_ALL_TIMES):
            began = perf_counter()
            await asking.ask(b'{"mode":"all"}')
            answers.append((perf_counter() - began) * 1e3)
            await asyncio.sleep(_PING_PAUSE_SECONDS)
        pinger.cancel()
    longest = max(pings) * 1e3
    found.at_most(
        "`all` of 10,000 tasks: longest ping of another connection",
        50.0,
        "ms",
        Spread(longest, longest, longest),
    )
    rows = [
        ["`all` of 10,000 tasks", number(Spread.of(answers).median)],
        ["longest ping without it", number(quiet * 1e3)],
    ]
    found.tables.append(Table("A long list, ms", ["", ""], rows))
