"""Those beside the devices: a writer over REST, one that batches over WebSocket, and one that reads the log."""

from __future__ import annotations

import asyncio
import http.client
import random
import urllib.parse
import uuid as uuids
from typing import Any

import websockets

from taskbeam_client import Change, Session, Task
from tests.model.history import Attempt, Fate, History
from tests.support.clients import Account, Answer, Rest, connected
from tests.support.frames import answer_to
from tests.support.processes import System

_NETWORK = (OSError, http.client.HTTPException)
_DEFINITE = {400, 403, 404, 409, 412}


class Caller:
    """REST with a token that is renewed; ``None`` for an answer that was lost."""

    def __init__(self, system: System, account: Account) -> None:
        self._session = Session(system.rest_url, account.refresh)
        self._rest = Rest(system, account.access)

    async def __call__(self, method: str, path: str, body: object = None, **headers: str) -> Answer | None:
        try:
            answer = await asyncio.to_thread(lambda: self._rest(method, path, body, **headers))
            if answer.status == 401:
                self._rest.token = await self._session()
                answer = await asyncio.to_thread(lambda: self._rest(method, path, body, **headers))
        except _NETWORK:
            return None
        if answer.status in (429, 503):
            return None
        assert answer.status < 300 or answer.status in _DEFINITE, answer
        return answer

    async def certainly(self, method: str, path: str) -> Answer:
        """For reading: again, until there is an answer."""
        async with asyncio.timeout(60):
            while (answer := await self(method, path)) is None:  # noqa: ASYNC110 - polling is the point
                await asyncio.sleep(0.1)
        return answer


def _fate(answer: Answer | None) -> Fate:
    if answer is None:
        return "unknown"
    return "done" if answer.status < 300 else "refused"


class Outsider:
    """Writes without a copy: it looks, and then does something with what it saw."""

    def __init__(
        self, system: System, account: Account, name: str, history: History, dice: random.Random
    ) -> None:
        self._system = system
        self._session = Session(system.rest_url, account.refresh)
        self._call = Caller(system, account)
        self._name = name
        self._history = history
        self._dice = dice
        self._marks = 0

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            answer = await self._call("GET", "/")
            tasks = answer.body if answer is not None else []
            await self._dice.choice((self._create, self._change, self._batch, self._batch_over_websocket))(
                tasks
            )
            await asyncio.sleep(self._dice.uniform(0, 0.15))

    def _attempt(self, mode: str, task_id: str, rev: int | None = None) -> Attempt:
        self._marks += 1
        return Attempt(mode, task_id, f"{self._name} {self._marks}", rev=rev)

    async def _create(self, tasks: list[dict[str, Any]]) -> None:
        """Again with the same uuid until it is certain."""
        attempt = self._attempt("create", str(uuids.uuid4()))
        body = {"task": "A task", "description": attempt.mark, "uuid": attempt.task_id}
        for _ in range(20):
            attempt.fate = _fate(await self._call("POST", "/", body))
            if attempt.fate != "unknown":
                break
            await asyncio.sleep(0.1)
        self._history.attempts.append(attempt)

    async def _change(self, tasks: list[dict[str, Any]]) -> None:
        if not tasks:
            return
        task = self._dice.choice(tasks)
        etag = f'"{task["rev"]}"'
        mode = self._dice.choice(("update", "update", "delete"))
        attempt = self._attempt(mode, task["uuid"], task["rev"])
        method, body = ("DELETE", None) if mode == "delete" else ("PATCH", {"description": attempt.mark})
        attempt.fate = _fate(await self._call(method, f"/task/{task['uuid']}/", body, If_Match=etag))
        self._history.attempts.append(attempt)

    def _operations(self, tasks: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[Attempt]]:
        """Creates, an update of one of them, and updates of others that may have moved on."""
        creates = [self._attempt("create", str(uuids.uuid4())) for _ in range(self._dice.randint(1, 3))]
        operations: list[dict[str, Any]] = [
            {
                "mode": "create",
                "data": {"task": "In a batch", "uuid": attempt.task_id, "description": attempt.mark},
            }
            for attempt in creates
        ]
        chosen = self._dice.sample(tasks, min(len(tasks), 2))
        updates = [
            self._attempt("update", creates[0].task_id, 1),
            *(self._attempt("update", task["uuid"], task["rev"]) for task in chosen),
        ]
        operations += [
            {
                "mode": "update",
                "task_id": attempt.task_id,
                "rev": attempt.rev,
                "data": {"description": attempt.mark},
            }
            for attempt in updates
        ]
        return operations, [*creates, *updates]

    def _note_batch(self, attempts: list[Attempt], fate: Fate) -> None:
        for attempt in attempts:
            attempt.fate = fate
        self._history.attempts += attempts
        self._history.batches.append(attempts)

    async def _batch(self, tasks: list[dict[str, Any]]) -> None:
        operations, attempts = self._operations(tasks)
        self._note_batch(attempts, _fate(await self._call("POST", "/batch/", {"ops": operations})))

    async def _batch_over_websocket(self, tasks: list[dict[str, Any]]) -> None:
        operations, attempts = self._operations(tasks)
        fate: Fate = "unknown"
        try:
            async with connected(self._system, await self._session(), push=False) as socket:
                answer = await answer_to(socket, {"mode": "batch", "ops": operations})
                if answer["type"] == "batch":
                    fate = "done"
                    assert [frame["mode"] for frame in answer["results"]] == [op["mode"] for op in operations]
                elif answer["code"] not in ("unavailable", "internal"):
                    fate = "refused"
        except (*_NETWORK, websockets.WebSocketException):
            pass
        self._note_batch(attempts, fate)


async def read_log(call: Caller, history: History, done: asyncio.Event) -> None:
    """Follow the log by long polls, before it is pruned; ends at its end, once all is quiet."""
    epoch = (await call.certainly("GET", "/")).headers["X-Taskbeam-Epoch"]
    while True:
        was_done, since = done.is_set(), len(history.log)
        query = urllib.parse.urlencode({"epoch": epoch, "since": since, "wait": 0 if was_done else 1})
        page = (await call.certainly("GET", f"/changes/?{query}")).body
        assert page["recovered"], page
        history.log += [Change.from_json(change) for change in page["changes"]]
        if was_done and not page["more"]:
            history.seq = page["seq"]
            return


async def read_end(system: System, account: Account, call: Caller, history: History) -> None:
    """The tasks over both transports."""
    over_rest = await call.certainly("GET", "/")
    assert int(over_rest.headers["X-Taskbeam-Seq"]) == history.seq
    history.over_rest = [Task.from_json(task) for task in over_rest.body]
    token = await Session(system.rest_url, account.refresh)()
    async with connected(system, token) as socket:
        everything = await answer_to(socket, {"mode": "all"})
    assert everything["seq"] == history.seq
    history.over_websocket = [Task.from_json(task) for task in everything["task"]]
