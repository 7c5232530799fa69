"""What one would write today: FastAPI, aiosqlite and PyJWT, each write a durable transaction, tasks pushed in-process."""

from __future__ import annotations

import os
import uuid
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Annotated, Any

import aiosqlite
import jwt
from fastapi import Depends, FastAPI, HTTPException, WebSocket, WebSocketDisconnect
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, Field

SECRET = os.environ["BENCH_SECRET"]
DATABASE = os.environ["BENCH_DB"]

db: aiosqlite.Connection
sockets: dict[int, set[WebSocket]] = defaultdict(set)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    global db
    async with aiosqlite.connect(DATABASE) as db:
        db.row_factory = aiosqlite.Row
        await db.execute("PRAGMA journal_mode=WAL")
        await db.execute("PRAGMA synchronous=FULL")
        await db.executescript(
            "CREATE TABLE IF NOT EXISTS task(id TEXT PRIMARY KEY, owner INTEGER NOT NULL, task TEXT NOT NULL,"
            " description TEXT NOT NULL, completed INTEGER NOT NULL DEFAULT 0, created_at TEXT NOT NULL,"
            " updated_at TEXT NOT NULL);"
            " CREATE INDEX IF NOT EXISTS t_owner ON task(owner, created_at);"
        )
        yield


app = FastAPI(lifespan=lifespan)


class NewTask(BaseModel):
    task: str = Field(max_length=200)
    description: str = ""


class Task(BaseModel):
    id: str
    task: str
    description: str
    completed: bool
    created_at: str
    updated_at: str


def user_of(token: str) -> int:
    return int(jwt.decode(token, SECRET, algorithms=["HS256"])["user_id"])


async def current(bearer: Annotated[HTTPAuthorizationCredentials, Depends(HTTPBearer())]) -> int:
    try:
        return user_of(bearer.credentials)
    except jwt.InvalidTokenError:
        raise HTTPException(401, "bad token") from None


User = Annotated[int, Depends(current)]


async def read(user: int, task_id: str) -> dict[str, Any] | None:
    async with db.execute("SELECT * FROM task WHERE id=? AND owner=?", (task_id, user)) as cursor:
        row = await cursor.fetchone()
    return {**row, "completed": bool(row["completed"])} if row else None


async def create(user: int, new: NewTask) -> dict[str, Any]:
    now = datetime.now(UTC).isoformat()
    task = {"id": str(uuid.uuid4()), "task": new.task, "description": new.description, "completed": False}
    await db.execute(
        "INSERT INTO task VALUES(?,?,?,?,0,?,?)",
        (task["id"], user, task["task"], task["description"], now, now),
    )
    await db.commit()
    return {**task, "created_at": now, "updated_at": now}


async def push(user: int, task: dict[str, Any], writer: WebSocket | None = None) -> None:
    for socket in list(sockets[user]):
        if socket is not writer:
            try:
                await socket.send_json({"event": "created", "task": task})
            except (RuntimeError, WebSocketDisconnect):
                sockets[user].discard(socket)


@app.get("/task/{task_id}/")
async def get_task(task_id: str, user: User) -> Task:
    task = await read(user, task_id)
    if task is None:
        raise HTTPException(404)
    return Task(**task)


@app.post("/", status_code=201)
async def post_task(new: NewTask, user: User) -> Task:
    task = await create(user, new)
    await push(user, task)
    return Task(**task)


@app.websocket("/ws/tasks/")
async def tasks(socket: WebSocket) -> None:
    await socket.accept()
    user = user_of((await socket.receive_json())["token"])
    sockets[user].add(socket)
    await socket.send_json({"type": "auth", "status": "ok"})
    try:
        while True:
            message = await socket.receive_json()
            if message["mode"] == "read":
                await socket.send_json({"mode": "read", "task": await read(user, message["task_id"])})
            elif message["mode"] == "create":
                task = await create(user, NewTask(**message["data"]))
                await socket.send_json({"mode": "create", "task": task})
                await push(user, task, socket)
    except WebSocketDisconnect:
        sockets[user].discard(socket)
