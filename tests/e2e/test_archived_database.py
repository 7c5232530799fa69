"""Databases that released versions made: this version's processes, all started at once, serve everything that is in them."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import tarfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest

from shared.store.sqlite.migrate import newest_version, schema_version
from tests.e2e.archived.make import MADE_AT
from tests.support.clients import Rest, connected
from tests.support.command_line import succeed, taskbeam
from tests.support.processes import System, running
from tests.support.settable_clock import SettableClock

_ARCHIVES: Final = {4: Path(__file__).parent / "archived" / "schema_4.tar.xz"}
_LATER: Final = 600
"""Seconds since the archive was made: its access tokens are good, the grace of the exchanged refresh tokens is over."""


class Served(NamedTuple):
    system: System
    seen: dict[str, Any]

    @property
    def users(self) -> list[dict[str, Any]]:
        users: list[dict[str, Any]] = self.seen["users"]
        return users

    def rest(self, token: str | None = None) -> Rest:
        return Rest(self.system, token)


def _version(database: Path) -> int:
    with closing(sqlite3.connect(database)) as connection:
        return schema_version(connection)


@pytest.fixture(scope="module", params=_ARCHIVES, ids=lambda schema: f"schema {schema}")
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One process brings the database up to date, while the others wait."""
    folder = tmp_path_factory.mktemp("archived")
    with tarfile.open(_ARCHIVES[request.param]) as archive:
        archive.extractall(folder, filter="data")
    assert _version(folder / "taskbeam.db") == request.param < newest_version()
    clock = SettableClock(folder)
    clock.set(MADE_AT + _LATER - int(time.time()))
    with running(
        folder, workers=2, beside=clock.environ, SECRET_KEY="", ROTATE_REFRESH_TOKENS="true"
    ) as system:
        assert _version(system.database) == newest_version()
        for process in system.processes:
            said = process.log.read_text()
            assert not any(level in said for level in ("ERROR", "Traceback")), said
        yield Served(system, json.loads((folder / "seen.json").read_text()))


def test_users_have_the_same_tasks_at_the_same_place_of_the_same_history(served: Served) -> None:
    """Their access tokens are good: the key is the one beside the database."""
    assert len(served.users) > 1
    for user in served.users:
        rest = served.rest(user["access"])
        listed = rest("GET", "/")
        assert listed.body == user["tasks"]
        assert listed.headers["X-Taskbeam-Seq"] == str(user["seq"])
        assert listed.headers["X-Taskbeam-Epoch"] == user["epoch"]
        assert rest("GET", "/me/").body == user["me"]


async def test_every_cursor_is_good_for_sync(served: Served) -> None:
    for user in served.users:
        rest = served.rest(user["access"])
        async with connected(served.system, user["access"]) as socket:
            assert (socket.auth["epoch"], socket.auth["seq"]) == (user["epoch"], user["seq"])
            for since, page in zip(user["cursors"], user["changes"], strict=True):
                asked = {"epoch": user["epoch"], "since": since}
                path = f"/changes/?epoch={user['epoch']}&since={since}"
                assert (await asyncio.to_thread(rest, "GET", path)).body == page
                assert await socket.ask({"mode": "sync", **asked}) == {"type": "sync", **page}


def test_refresh_tokens_are_exchanged_once_and_passwords_log_in(served: Served) -> None:
    public = served.rest()
    for user in served.users:
        for former in user["former"]:
            refused = public("POST", "/token-verify/", {"token": former})
            assert (refused.status, refused.body["detail"]) == (401, "Token is blacklisted")
        tokens = public("POST", "/token-refresh/", {"refresh": user["refresh"]})
        assert tokens.status == 200
        assert tokens.body["refresh"] != user["refresh"]
        assert served.rest(tokens.body["access"])("GET", "/me/").body == user["me"]
    users = {user["username"]: user["password"] for user in served.users} | served.seen["passwords"]
    for username, password in users.items():
        assert public("POST", "/login/", {"username": username, "password": password}).status == 200, username


def test_what_had_ended_stays_ended(served: Served) -> None:
    public = served.rest()
    assert len(served.seen["ended"]) == 3
    for user in served.seen["ended"]:
        assert served.rest(user["access"])("GET", "/").status == 401, user["username"]
        assert public("POST", "/token-refresh/", {"refresh": user["refresh"]}).status == 401, user["username"]


async def test_history_goes_on_where_it_was(served: Served) -> None:
    user = served.users[0]
    rest = served.rest(user["access"])
    async with connected(served.system, user["access"]) as socket:
        seq = socket.auth["seq"]
        made = await asyncio.to_thread(rest, "POST", "/", {"task": "After the upgrade"})
        pushed = await socket.receive()
        assert (pushed["seq"], pushed["task"]) == (seq + 1, made.body)
        listed = await asyncio.to_thread(rest, "GET", "/")
        assert listed.body == [*user["tasks"], made.body]


def test_database_is_sound(served: Served) -> None:
    findings = json.loads(succeed(taskbeam("check", "--json", environ=served.system.environ)))
    assert [finding for finding in findings if finding["level"] == "problem"] == []
