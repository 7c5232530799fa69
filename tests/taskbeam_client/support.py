"""Clients for the tests, and bounded waits for what they should come to."""

from __future__ import annotations

import asyncio
from typing import Any

from taskbeam_client import Backoff, Change, ChangeStream, Event, Session, Snapshot, TaskbeamClient
from tests.support.clients import Account
from tests.support.processes import System
from tests.support.waiting import until

WAIT = 20.0


def new_client(system: System, account: Account, **options: Any) -> TaskbeamClient:
    """A client of an account, which tries again quickly."""
    return TaskbeamClient(
        system.ws_url,
        Session(system.rest_url, account.refresh),
        **{"backoff": Backoff(0.1, 1.0), "connect_options": {"proxy": None}, **options},
    )


async def rest(account: Account, method: str, path: str, body: object = None, **headers: str) -> Any:
    """A REST request that must succeed; its body."""
    answer = await asyncio.to_thread(lambda: account.rest(method, path, body, **headers))
    assert answer.status < 300, answer
    return answer.body


async def server_tasks(account: Account) -> tuple[int, list[dict[str, Any]]]:
    """The seq and the tasks, over REST."""
    answer = await asyncio.to_thread(lambda: account.rest("GET", "/"))
    assert answer.status == 200, answer
    return int(answer.headers["X-Taskbeam-Seq"]), answer.body


def as_json(client: TaskbeamClient) -> list[dict[str, Any]]:
    """The client's copy, written as the server writes it."""
    return [{name: getattr(task, name) for name in task.__slots__} for task in client.tasks.values()]


async def equals_server(client: TaskbeamClient, account: Account) -> None:
    """Wait until the copy has the server's seq, and compare everything."""
    seq, tasks = await server_tasks(account)
    await until(lambda: client.seq >= seq, WAIT, f"the client has seq {seq}, is at {client.seq}")
    assert client.seq == seq
    assert as_json(client) == tasks


class Recorder:
    """Reads a client's changes and checks their order as they come."""

    def __init__(self, stream: ChangeStream) -> None:
        self._stream = stream
        self.events: list[Event] = []
        self.snapshots: list[Snapshot] = []
        self.seqs: list[int] = []

    async def run(self) -> None:
        """Until the stream ends."""
        async for event in self._stream:
            self.events.append(event)
            if isinstance(event, Snapshot):
                self.snapshots.append(event)
            else:
                assert isinstance(event, Change)
                self.seqs.append(event.seq)

    @property
    def last(self) -> int:
        """The seq of the last event; -1 before the first."""
        return self.events[-1].seq if self.events else -1

    def assert_each_once_in_order(self, first: int, last: int) -> None:
        assert self.seqs == list(range(first, last + 1))
