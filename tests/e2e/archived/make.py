"""``python -m tests.e2e.archived.make CHECKOUT ARCHIVE``: archive a database that the version in a checkout makes.

Its servers run in its own environment (``make .venv/.run`` there). Users do over REST whatever leaves a trace in the database.
The archive has the database, its key, and in ``seen.json`` what the servers answered in the end.
"""

from __future__ import annotations

import json
import sys
import tarfile
import tempfile
import time
import uuid
from pathlib import Path
from typing import Any, Final

from tests.support import processes
from tests.support.clients import Rest
from tests.support.processes import System, running
from tests.support.settable_clock import SettableClock

MADE_AT: Final = 1_767_225_600
"""The servers' time, in Unix seconds: 2026-01-01. The tokens of the archive are valid then."""
MEMBERS: Final = ("taskbeam.db", "taskbeam.db.key", "seen.json")
_PASSWORD: Final = "pässwörd with spaces 🔑"
_MANY: Final = 150


class _User:
    """Registered, logged in, and with a refresh token that was exchanged twice."""

    def __init__(self, system: System, name: str) -> None:
        self.name = name
        self.public = Rest(system)
        account = {"username": name, "password": _PASSWORD}
        _ask(self.public, 201, "POST", "/register/", account)
        refresh = _ask(self.public, 200, "POST", "/login/", account)["refresh"]
        self.former: list[str] = []
        for _ in range(2):
            self.former.append(refresh)
            tokens = _ask(self.public, 200, "POST", "/token-refresh/", {"refresh": refresh})
            refresh = tokens["refresh"]
        self.refresh, self.access = refresh, tokens["access"]
        self.rest = Rest(system, self.access)

    def create(self, text: str, **more: object) -> str:
        task: str = _ask(self.rest, 201, "POST", "/", {"task": text, **more})["uuid"]
        return task

    def work(self) -> None:
        """Creates with and without a uuid, updates, deletes, a batch."""
        first = self.create("Milch kaufen, 牛乳を買う 🥛", description="2 Liter\nnicht 3")
        brought = self.create("Its uuid is the client's", uuid=str(uuid.uuid4()))
        deleted = self.create("Deleted later")
        _ask(self.rest, 200, "PATCH", f"/task/{first}/", {"completed": True})
        _ask(self.rest, 200, "PATCH", f"/task/{brought}/", {"task": "Ünïcödé ☃", "rev": 1})
        _ask(self.rest, 204, "DELETE", f"/task/{deleted}/")
        ops = [
            {"mode": "create", "data": {"task": "By a batch"}},
            {"mode": "update", "task_id": first, "data": {"completed": False}},
        ]
        _ask(self.rest, 200, "POST", "/batch/", {"ops": ops})

    def seen(self) -> dict[str, Any]:
        listed = self.rest("GET", "/")
        seq, epoch = int(listed.headers["X-Taskbeam-Seq"]), listed.headers["X-Taskbeam-Epoch"]
        cursors = sorted({0, seq // 2, max(0, seq - 3), seq})
        return {
            "username": self.name,
            "password": _PASSWORD,
            "access": self.access,
            "refresh": self.refresh,
            "former": self.former,
            "me": _ask(self.rest, 200, "GET", "/me/"),
            "tasks": listed.body,
            "seq": seq,
            "epoch": epoch,
            "changes": [
                _ask(self.rest, 200, "GET", f"/changes/?epoch={epoch}&since={since}") for since in cursors
            ],
            "cursors": cursors,
        }


def _ask(rest: Rest, status: int, method: str, path: str, body: object = None) -> Any:
    answer = rest(method, path, body)
    assert answer.status == status, answer
    return answer.body


def _work(system: System) -> dict[str, Any]:
    users = [_User(system, name) for name in ("ann", "Zoë", "用户")]
    for user in users:
        user.work()
    for number in range(_MANY):
        task = users[1].create(f"Task {number}", completed=number % 3 == 0)
        if number % 5 == 0:
            _ask(users[1].rest, 204, "DELETE", f"/task/{task}/")

    logged_out = _User(system, "logged_out")
    logged_out.create("Kept")
    _ask(logged_out.public, 200, "POST", "/logout/", {"refresh": logged_out.refresh})
    changed = _User(system, "changed")
    change = {"current_password": _PASSWORD, "password": "another password"}
    _ask(changed.rest, 200, "PATCH", "/me/", change)
    removed = _User(system, "removed")
    removed.create("Goes with its user")
    _ask(removed.rest, 204, "DELETE", "/me/", {"current_password": _PASSWORD})
    ended = [
        {"username": user.name, "access": user.access, "refresh": user.refresh}
        for user in (logged_out, changed, removed)
    ]
    return {
        "users": [user.seen() for user in users],
        "ended": ended,
        "passwords": {"logged_out": _PASSWORD, "changed": "another password"},
    }


def _main(checkout: Path, archive: Path) -> None:
    processes.ROOT = checkout  # type: ignore[misc]
    sys.executable = str(checkout / ".venv/bin/python")  # which the servers are started with
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clock = SettableClock(folder)
        clock.set(MADE_AT - int(time.time()))
        with running(
            folder, beside=clock.environ, SECRET_KEY="", ROTATE_REFRESH_TOKENS="true", BCRYPT_ROUNDS="4"
        ) as system:
            seen = _work(system)
        (folder / "seen.json").write_text(json.dumps(seen, ensure_ascii=False, indent=1))
        with tarfile.open(archive, "w:xz") as file:
            for member in MEMBERS:
                file.add(folder / member, member)


if __name__ == "__main__":
    _main(Path(sys.argv[1]).absolute(), Path(sys.argv[2]))
