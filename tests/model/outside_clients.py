"""Clients without a copy: a writer over both transports, and a reader of the log."""

from __future__ import annotations

import asyncio
import http.client
import random
import urllib.parse
import uuid as uuids
from typing import Any

import websockets

from taskbeam_client import Change, Session, Task
from tests.model.history import Attempt, History, Outcome
from tests.support.clients import Account, Answer, Rest, connected
from tests.support.frames import answer_to
from tests.support.processes import System

_NETWORK = (OSError, http.client.HTTPException)
_DEFINITE = {400, 403, 404, 409, 412}


class Caller:
    """A REST client that renews its token. Returns ``None`` where the answer was lost."""

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
        """Repeat a read until there is an answer."""
        async with asyncio.timeout(60):
            while (answer := await self(method, path)) is None:  # noqa: ASYNC110 - polling is the point
                await asyncio.sleep(0.1)
        return answer


def _outcome(answer: Answer | None) -> Outcome:
    if answer is None:
        return "unknown"
    return "done" if answer.status < 300 else "refused"


class OutsideWriter:
    """Lists the tasks over REST, then writes to one of them, again and again."""

    def __init__(
        self, system: System, account: Account, name: str, history: History, rng: random.Random
    ) -> None:
        self._system = system
        self._session = Session(system.rest_url, account.refresh)
        self._call = Caller(system, account)
        self._name = name
        self._history = history
        self._rng = rng
        self._texts = 0

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            answer = await self._call("GET", "/")
            tasks = answer.body if answer is not None else []
            await self._rng.choice((self._create, self._change, self._batch, self._batch_over_websocket))(
                tasks
            )
            await asyncio.sleep(self._rng.uniform(0, 0.15))

    def _attempt(self, mode: str, task_id: str, rev: int | None = None) -> Attempt:
        self._texts += 1
        return Attempt(mode, task_id, f"{self._name} {self._texts}", rev=rev)

    async def _create(self, tasks: list[dict[str, Any]]) -> None:
        """Repeat a create with the same uuid until its outcome is known."""
        attempt = self._attempt("create", str(uuids.uuid4()))
        body = {"task": "A task", "description": attempt.text, "uuid": attempt.task_id}
        for _ in range(20):
            attempt.outcome = _outcome(await self._call("POST", "/", body))
            if attempt.outcome != "unknown":
                break
            await asyncio.sleep(0.1)
        self._history.attempts.append(attempt)

    async def _change(self, tasks: list[dict[str, Any]]) -> None:
        if not tasks:
            return
        task = self._rng.choice(tasks)
        etag = f'"{task["rev"]}"'
        mode = self._rng.choice(("update", "update", "delete"))
        attempt = self._attempt(mode, task["uuid"], task["rev"])
        method, body = ("DELETE", None) if mode == "delete" else ("PATCH", {"description": attempt.text})
        attempt.outcome = _outcome(await self._call(method, f"/task/{task['uuid']}/", body, If_Match=etag))
        self._history.attempts.append(attempt)

    def _operations(self, tasks: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[Attempt]]:
        """Creates, an update of one of the new tasks, and updates of tasks that may have changed since."""
        creates = [self._attempt("create", str(uuids.uuid4())) for _ in range(self._rng.randint(1, 3))]
        operations: list[dict[str, Any]] = [
            {
                "mode": "create",
                "data": {"task": "In a batch", "uuid": attempt.task_id, "description": attempt.text},
            }
            for attempt in creates
        ]
        chosen = self._rng.sample(tasks, min(len(tasks), 2))
        updates = [
            self._attempt("update", creates[0].task_id, 1),
            *(self._attempt("update", task["uuid"], task["rev"]) for task in chosen),
        ]
        operations += [
            {
                "mode": "update",
                "task_id": attempt.task_id,
                "rev": attempt.rev,
                "data": {"description": attempt.text},
            }
            for attempt in updates
        ]
        return operations, [*creates, *updates]

    def _note_batch(self, attempts: list[Attempt], outcome: Outcome) -> None:
        for attempt in attempts:
            attempt.outcome = outcome
        self._history.attempts += attempts
        self._history.batches.append(attempts)

    async def _batch(self, tasks: list[dict[str, Any]]) -> None:
        operations, attempts = self._operations(tasks)
        self._note_batch(attempts, _outcome(await self._call("POST", "/batch/", {"ops": operations})))

    async def _batch_over_websocket(self, tasks: list[dict[str, Any]]) -> None:
        operations, attempts = self._operations(tasks)
        outcome: Outcome = "unknown"
        try:
            async with connected(self._system, await self._session(), push=False) as socket:
                answer = await answer_to(socket, {"mode": "batch", "ops": operations})
                if answer["type"] == "batch":
                    outcome = "done"
                    assert [frame["mode"] for frame in answer["results"]] == [op["mode"] for op in operations]
                elif answer["code"] not in ("unavailable", "internal"):
                    outcome = "refused"
        except (*_NETWORK, websockets.WebSocketException):
            pass
        self._note_batch(attempts, outcome)


async def read_log(call: Caller, history: History, done: asyncio.Event) -> None:
    """Follow the log by long polls, before it is pruned, up to its end once ``done`` is set."""
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
    """Read the tasks over both transports."""
    over_rest = await call.certainly("GET", "/")
    assert int(over_rest.headers["X-Taskbeam-Seq"]) == history.seq
    history.over_rest = [Task.from_json(task) for task in over_rest.body]
    token = await Session(system.rest_url, account.refresh)()
    async with connected(system, token) as socket:
        everything = await answer_to(socket, {"mode": "all"})
    assert everything["seq"] == history.seq
    history.over_websocket = [Task.from_json(task) for task in everything["task"]]
