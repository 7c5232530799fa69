"""``python -m benchmarks.comparisons``: compares single design decisions with their alternatives.

Everything runs in this process, on real files. The two sides of a comparison take turns; the figures are medians. The table is in
``docs/explanation/performance.md``.
"""

from __future__ import annotations

import asyncio
import itertools
import sqlite3
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final, NamedTuple
from unittest.mock import patch

import aiosqlite
import jwt
import msgspec
from websockets.frames import Frame, Opcode
from websockets.protocol import OPEN
from websockets.server import ServerProtocol

from benchmarks.seed import DESCRIPTION, add_users, open_store
from benchmarks.servers import KEY, settings_of
from shared.auth.tokens import TokenCodec
from shared.auth.verified_tokens import VerifiedTokens
from shared.clock import system_clock, timestamp
from shared.decisions.tasks import WriteRequest
from shared.models import CreateTask, Task, TaskQuery
from shared.store import batching
from shared.store.sqlite import feeds
from shared.store.sqlite.feeds import FeedCache
from shared.store.sqlite.list_cache import ListCache
from shared.store.sqlite.lists import read_short_list
from shared.store.sqlite.migrate import migrate
from shared.store.sqlite.readers import ThreadReader, read_group
from shared.store.sqlite.tasks import read_row
from shared.store.sqlite.transaction import Work, carry_out
from shared.uuid7 import first_tick, uuid7
from ws_server.frames import sole_text

_USERS: Final = 64
_GROUP: Final = 64  # writes in one transaction: one from each of 64 busy connections
_GROUPS: Final = 150
_ROUNDS: Final = 5

_encode = msgspec.json.Encoder().encode


class Comparison(NamedTuple):
    """Two ways to do one thing. Each function returns the microseconds that one operation takes."""

    name: str
    unit: str
    alternative: Callable[[], float]
    ours: Callable[[], float]


@contextmanager
def _database(extra: str = "") -> Iterator[sqlite3.Connection]:
    """A new database with users 1 to 64, opened like the store's writer connection."""
    with (
        tempfile.TemporaryDirectory(prefix="taskbeam-comparisons-") as folder,
        closing(
            sqlite3.connect(Path(folder) / "comparisons.db", isolation_level=None, cached_statements=256)
        ) as connection,
    ):
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "wal_autocheckpoint = 0"):
            connection.execute(f"PRAGMA {pragma}")
        migrate(connection)
        connection.executescript(extra)
        for user in range(1, _USERS + 1):
            connection.execute(
                "INSERT INTO users (id, username, username_key, password, date_joined) VALUES (?, ?, ?, '', '')",
                (user, user, user),
            )
            connection.execute("INSERT INTO feeds (user_id) VALUES (?)", (user,))
        yield connection


def _creates(connection: sqlite3.Connection, groups: int, client_uuid: bool = False) -> float:
    """CPU microseconds of this thread for one durable create."""
    users, cache = itertools.cycle(range(1, _USERS + 1)), FeedCache()
    began = time.thread_time()
    for _ in range(groups):
        requests: list[Work] = []
        for user, now in zip(itertools.islice(users, _GROUP), itertools.repeat(system_clock()), strict=False):
            operation = CreateTask(str(uuid.uuid4()) if client_uuid else None, "Task seq=1;", DESCRIPTION)
            requests.append(WriteRequest(user, now, sys.maxsize, None, operation))
        connection.execute("BEGIN IMMEDIATE")
        carry_out(connection, cache, requests)
        connection.execute("COMMIT")
    return (time.thread_time() - began) / (groups * _GROUP) * 1e6


def _create(
    extra: str = "",
    checkpoint: str = "RESTART",
    client_uuid: bool = False,
    cache_max: int = feeds._CACHE_MAX,
) -> float:
    with patch.object(feeds, "_CACHE_MAX", cache_max), _database(extra) as connection:
        _creates(connection, 2 * _GROUPS, client_uuid)
        connection.execute(f"PRAGMA wal_checkpoint({checkpoint})")
        return _creates(connection, _GROUPS, client_uuid)


def _insert(at_once: int) -> float:
    """An insert of one row into the change log, without the commit."""
    with _database() as connection:
        values = ", ".join(["(?, 1, 0, 'create', ?, ?)"] * at_once)
        statement = f"INSERT INTO changes (user_id, seq, previous, mode, task_id, task) VALUES {values}"
        connection.execute("BEGIN IMMEDIATE")
        spent = 0.0
        for _ in range(_GROUPS):
            rows = [(user, uuid7(first_tick(system_clock())), b"x" * 300) for user in range(1, _GROUP + 1)]
            chunks = [rows[start : start + at_once] for start in range(0, _GROUP, at_once)]
            began = time.thread_time()
            for chunk in chunks:
                connection.execute(statement, [value for row in chunk for value in row])
            spent += time.thread_time() - began
        connection.execute("ROLLBACK")
        return spent / (_GROUPS * _GROUP) * 1e6


def _a_task(number: int = 0) -> Task:
    now = system_clock()
    return Task(
        uuid7(first_tick(now)), 1, timestamp(now), timestamp(now), f"Task {number}", DESCRIPTION, False, 1
    )


def _list_of_fifty(columns: bool) -> float:
    tasks = [_a_task(number) for number in range(50)]
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("CREATE TABLE stored (a, b, c, d, e, f, g, h, json BLOB)")
        connection.executemany(
            "INSERT INTO stored VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [(*msgspec.structs.astuple(task), _encode(task)) for task in tasks],
        )

        def of_columns() -> bytes:
            rows = connection.execute("SELECT a, b, c, d, e, f, g, h FROM stored").fetchall()
            return _encode([Task(a, b, c, d, e, f, bool(g), h) for a, b, c, d, e, f, g, h in rows])

        def of_json() -> bytes:
            rows = connection.execute("SELECT json FROM stored").fetchall()
            return b"[%b]" % b",".join([json for (json,) in rows])

        assert of_columns() == of_json()
        return _each(of_columns if columns else of_json, 500)


def _read(at_once: int) -> float:
    """A read of one task, with its share of the transaction."""
    with _database() as connection:
        _creates(connection, 20)
        ids = [row[0] for row in connection.execute("SELECT uuid FROM tasks").fetchall()]

        def work(reader: sqlite3.Connection, wanted: str) -> object:
            return read_row(reader, wanted)

        pieces = [lambda reader, wanted=wanted: work(reader, wanted) for wanted in ids[:at_once]]
        return _each(lambda: read_group(connection, pieces), 500) / at_once


def _read_on_a_thread() -> float:
    async def measure(path: Path) -> float:
        async with aiosqlite.connect(path, isolation_level=None) as connection:
            await connection.execute("CREATE TABLE one (id INTEGER PRIMARY KEY)")
            reader = ThreadReader(connection)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(reader.serve())
                began = time.perf_counter()
                for _ in range(1000):
                    await reader.submit(lambda plain: plain.execute("SELECT id FROM one").fetchall())
                spent = time.perf_counter() - began
                reader.close()
        return spent / 1000 * 1e6

    with tempfile.TemporaryDirectory(prefix="taskbeam-comparisons-") as folder:
        return asyncio.run(measure(Path(folder) / "comparisons.db"))


def _busy_writers(quiet_turns: int) -> float:
    """A create by one of 64 writers on a whole store, each of which starts the next one at once after its answer."""
    creates = 40 * _USERS

    async def measure(folder: Path) -> float:
        async with open_store(settings_of(folder)) as store:
            await add_users(store, _USERS)
            left = iter(range(creates))

            async def keep_writing(user: int) -> None:
                for _ in left:
                    await store.write(
                        user, CreateTask(None, "Task"), now=system_clock(), max_tasks=sys.maxsize
                    )

            async with asyncio.TaskGroup() as writers:
                began = time.perf_counter()
                for user in range(1, _USERS):
                    writers.create_task(keep_writing(user))
                await asyncio.sleep(0.001)  # one writer is later than the others
                writers.create_task(keep_writing(_USERS))
            return (time.perf_counter() - began) / creates * 1e6

    with (
        tempfile.TemporaryDirectory(prefix="taskbeam-comparisons-") as folder,
        patch.object(batching, "_LINGER_TURNS", quiet_turns),
    ):
        return asyncio.run(measure(Path(folder)))


def _short_list(uncached: bool) -> float:
    """A list of 50 tasks, with two pending index entries."""
    with _database() as connection:
        _creates(connection, 50)
        query, cache = TaskQuery(), ListCache()
        assert read_short_list(connection, cache, 1, query) == read_short_list(
            connection, ListCache(), 1, query
        )
        return _each(lambda: read_short_list(connection, ListCache() if uncached else cache, 1, query), 500)


def _message(way: Callable[[ServerProtocol, bytes], object]) -> float:
    """A create request: from the received bytes to its text."""
    text = _encode({"mode": "create", "data": {"task": "Task seq=1;", "description": DESCRIPTION}})
    protocol, data = ServerProtocol(state=OPEN), Frame(Opcode.TEXT, text).serialize(mask=True)
    return _each(lambda: way(protocol, data), 2000)


def _parse(protocol: ServerProtocol, data: bytes) -> object:
    protocol.receive_data(data)
    protocol.data_to_send()
    return protocol.events_received()


def _token(way: Callable[[TokenCodec, VerifiedTokens, str], object]) -> float:
    codec, verified = TokenCodec(KEY, (), system_clock), VerifiedTokens(system_clock)
    text, token = codec.issue("access", 1, uuid.uuid4().hex, 3600)
    verified.keep(text, token)
    return _each(lambda: way(codec, verified, text), 2000)


def _each(operation: Callable[[], object], times: int) -> float:
    began = time.thread_time()
    for _ in range(times):
        operation()
    return (time.thread_time() - began) / times * 1e6


_GENERATED: Final = "".join(
    f"ALTER TABLE tasks ADD COLUMN {name} AS (json_extract(CAST(json AS TEXT), '$.{name}')) VIRTUAL;"
    for name in ("task", "description", "time_modified")
).replace(" AS (", " TEXT AS (")

COMPARISONS: Final = (
    Comparison(
        "64 busy writers: a group is what waits / linger for the clients just answered",
        "create",
        lambda: _busy_writers(0),
        lambda: _busy_writers(batching._LINGER_TURNS),
    ),
    Comparison(
        "a message in one piece: the library's parser / unmasked directly",
        "message",
        lambda: _message(_parse),
        lambda: _message(lambda _, data: sole_text(data, None)),
    ),
    Comparison(
        "a token's claims: verified each time / cached",
        "token",
        lambda: _token(lambda codec, _, text: codec.verify(text, "access")),
        lambda: _token(lambda _, verified, text: verified.get(text)),
    ),
    Comparison(
        "a new token: PyJWT's decode / the same, with the key prepared once",
        "token",
        lambda: _token(lambda _, __, text: jwt.decode(text, KEY, ["HS256"])),
        lambda: _token(lambda codec, _, text: codec.verify(text, "access")),
    ),
    Comparison("read a task: on a thread / on the loop, in one transaction a turn", "read", _read_on_a_thread, lambda: _read(_GROUP)),
    Comparison("read a task: a transaction each / one for a turn of the loop", "read", lambda: _read(1), lambda: _read(_GROUP)),
    Comparison("list of 50: encoded from columns / joined from stored JSON", "list", lambda: _list_of_fifty(True), lambda: _list_of_fifty(False)),
    Comparison("list of 50: read each time / cached until a write", "list", lambda: _short_list(True), lambda: _short_list(False)),
    Comparison("the write-ahead log: appended to / overwritten", "create", lambda: _create(checkpoint="TRUNCATE"), _create),
    Comparison(
        "a user's changes: an index / previous links",
        "create",
        lambda: _create("CREATE UNIQUE INDEX by_user ON changes (user_id, seq);"),
        _create,
    ),
    Comparison("a user's feed: read in each transaction / cached", "create", lambda: _create(cache_max=-1), _create),
    Comparison("a task's fields: generated columns / none", "create", lambda: _create(_GENERATED), _create),
    Comparison(
        "ids: random uuids with an index / contained in our uuids",
        "create",
        lambda: _create(client_uuid=True),
        _create,
    ),
    Comparison(
        "a user's tasks in order: an index / one written 16 entries at a time",
        "create",
        lambda: _create("CREATE INDEX tasks_of_user ON tasks (user_id, id);"),
        _create,
    ),
    Comparison("rows of a group: a statement each / one for all", "row", lambda: _insert(1), lambda: _insert(_GROUP)),
)  # fmt: skip


def main() -> None:
    print("| | for each | alternative, µs | ours, µs | times |\n|---|---|---|---|---|")
    for comparison in COMPARISONS:
        rounds = [(comparison.alternative(), comparison.ours()) for _ in range(_ROUNDS)]
        before = statistics.median(before for before, _ in rounds)
        after = statistics.median(after for _, after in rounds)
        gain = statistics.median(before / after for before, after in rounds)
        print(
            f"| {comparison.name} | {comparison.unit} | {before:.3g} | {after:.3g} | {gain:.{0 if gain > 10 else 1}f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
