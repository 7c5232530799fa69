"""A task is posted to the gateway, and a socket of the WebSocket server waits for it, one write after the other. Both
processes share a core. Then the folder of the wake-up sockets is emptied, so that changes are found by polling the
database alone."""

from __future__ import annotations

import asyncio
import random
from functools import partial
from time import perf_counter
from typing import Final

from benchmarks.cases import Effort
from benchmarks.cases.rest import OK, posts
from benchmarks.closed_loop import UnexpectedAnswer
from benchmarks.figures import Spread, percentile
from benchmarks.http_load import HttpClient
from benchmarks.http_load import connect as connect_http
from benchmarks.report import number
from benchmarks.results import Findings, Table
from benchmarks.seed import add_users, open_store
from benchmarks.servers import System, access_token, data_folder, settings_of, system
from benchmarks.websocket_load import Client, connect

_WRITES: Final = 300  # of one round
_NO_WAKE_UP_WRITES: Final = 16
_NO_WAKE_UP_PAUSE_SECONDS: Final = 0.5  # at most, so that writes come at any time between two polls
_DELIVERY_SECONDS: Final = 5.0


async def measure(effort: Effort) -> Findings:
    found = Findings()
    with data_folder() as folder:
        async with open_store(settings_of(folder)) as store:
            await add_users(store, 1)
        with system(folder, effort.cores) as ours:
            token = access_token(1)
            (poster,) = await connect_http(ours.rest_port, 1)
            post = posts("/", token)
            socket = await connect(ours.ws_url, token)
            p50s, p99s, answered = [], [], []
            await delivery_delays(poster, socket, post(poster, b""), 50)
            for _ in range(effort.rounds):
                delays, answers = await delivery_delays(poster, socket, post(poster, b""), _WRITES)
                p50s.append(percentile(delays, 0.5) * 1e3)
                p99s.append(percentile(delays, 0.99) * 1e3)
                answered.append(percentile(answers, 0.5) * 1e3)
            _remove_wake_sockets(ours)
            without_wake_ups = []
            for _ in range(_NO_WAKE_UP_WRITES):
                await asyncio.sleep(random.uniform(0, _NO_WAKE_UP_PAUSE_SECONDS))
                without_wake_ups += (await delivery_delays(poster, socket, post(poster, b""), 1))[0]
            poster.close()
            socket.close()
    found.at_most("REST write to a socket of the other process, p50", 2.0, "ms", Spread.of(p50s))
    found.at_most("REST write to a socket of the other process, p99", 10.0, "ms", Spread.of(p99s))
    worst = max(without_wake_ups)
    found.at_most("the same without any wake-up call, longest", 1.2, "s", Spread(worst, worst, worst))
    rows = [["answer to the POST, p50, ms", number(Spread.of(answered).median)]]
    found.tables.append(Table("For comparison", ["", ""], rows))
    return found


def _remove_wake_sockets(ours: System) -> None:
    """Remove the sockets, so that no process can wake another."""
    for socket in (ours.folder / "taskbeam.db-wake").iterdir():
        socket.unlink()


def _note_time(came: asyncio.Future[float], _: Client, __: bytes) -> None:
    if not came.done():
        came.set_result(perf_counter())


async def delivery_delays(
    poster: HttpClient, socket: Client, request: bytes, writes: int
) -> tuple[list[float], list[float]]:
    """Seconds from each POST to its frame on the socket, and to its answer; both sorted."""
    delays, answers = [], []
    for _ in range(writes):
        came: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        socket.on_answer = partial(_note_time, came)
        sent = perf_counter()
        answer = await poster.ask(request)
        answers.append(perf_counter() - sent)
        if not answer.startswith(OK):
            raise UnexpectedAnswer(answer[:300])
        async with asyncio.timeout(_DELIVERY_SECONDS):
            delays.append(await came - sent)
    return sorted(delays), sorted(answers)
