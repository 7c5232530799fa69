"""What refusals and strange answers mean to a user, whichever server says them."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Final

import pytest

from taskbeam.errors import CommandError, LoginOver, ServerAway
from taskbeam.remote.api import Api, exchange, log_in, refusal
from taskbeam.remote.http import Answer, LostAnswer
from taskbeam.remote.importing import import_tasks
from taskbeam.remote.logins import Login, Logins
from taskbeam.remote.task_files import Entry
from tests.support.canned_server import Canned, CannedServer, answering

_TOKENS: Final = Canned(200, {"access": "a", "refresh": "r"})
_TASK: Final = {
    "uuid": "u",
    "task": "x",
    "description": "",
    "completed": False,
    "time_created": "t",
    "time_modified": "t",
}


def _login(server: CannedServer) -> Login:
    return Login(server.url, "ws://a/ws/tasks/", "ann", 1, "access", "refresh")


def test_a_login_asks_who_the_user_is() -> None:
    with answering(_TOKENS, Canned(200, {"id": 7, "username": "Ann"})) as server:
        assert log_in(server.url, "ws://a", "ann", "secret") == Login(
            server.url, "ws://a", "Ann", 7, "a", "r"
        )


@pytest.mark.parametrize(
    ("answers", "status", "said"),
    [
        ([Canned(401, {"detail": "No"})], 1, "knows no active user 'ann' with this password."),
        ([Canned(429, {"detail": "Request was throttled."})], 1, "answered 429: Request was throttled."),
        ([Canned(503, {"detail": "Try later."})], 3, "cannot answer now: Try later."),
        ([Canned(200, {"token": "x"})], 3, "not as a gateway of Taskbeam does"),
        ([_TOKENS, Canned(403, {"detail": "No."})], 1, "answered 403: No."),
        ([_TOKENS, Canned(200, {"name": "x"})], 3, "not as a gateway of Taskbeam does"),
    ],
)
def test_a_login_that_fails(answers: list[Canned], status: int, said: str) -> None:
    with answering(*answers) as server, pytest.raises(CommandError) as failed:
        log_in(server.url, "ws://a", "ann", "secret")
    assert failed.value.status == status
    assert said in failed.value.message


def test_an_exchange_whose_answer_was_lost_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    with answering(None, None, Canned(200, {"access": "new"})) as server:
        assert exchange(_login(server)) == _login(server)._replace(access="new")
    with answering(None, None, None) as server, pytest.raises(LostAnswer):
        exchange(_login(server))


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (Canned(401, {"detail": "Token is invalid"}), LoginOver),
        (Canned(503, {"detail": "Later."}), ServerAway),
        (Canned(200, {"access": 1}), ServerAway),
    ],
)
def test_an_exchange_that_fails(answer: Canned, kind: type[CommandError]) -> None:
    with answering(answer) as server, pytest.raises(kind):
        exchange(_login(server))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    return tmp_path / "taskbeam"


def _api(server: CannedServer, folder: Path) -> Api:
    Logins(folder).put(_login(server))
    return Api(None)


def test_a_token_that_is_refused_is_exchanged_and_the_request_is_sent_again(folder: Path) -> None:
    answers = Canned(401, {}), Canned(200, {"access": "new", "refresh": "next"}), Canned(200, [_TASK])
    with answering(*answers) as server:
        assert _api(server, folder).tasks() == ([_TASK], 1)
    assert server.requests == ["GET /", "POST /token-refresh/", "GET /"]
    kept = Logins(folder).get(server.url)
    assert (kept.access, kept.refresh) == ("new", "next")


@pytest.mark.parametrize("body", [{}, {"results": 1}, ["x"], [{**_TASK, "completed": 1}]])
def test_lists_that_are_none(folder: Path, body: Any) -> None:
    with answering(Canned(200, body)) as server, pytest.raises(ServerAway, match="not as a gateway"):
        _api(server, folder).tasks()


_CONFLICT: Final = {"code": "conflict", "task": {"task": "New\ntext", "rev": 3}}


@pytest.mark.parametrize(
    ("status", "body", "exit_status", "said"),
    [
        (409, _CONFLICT, 1, "The task has been changed meanwhile: it is now 'New text', revision 3."),
        (409, {"code": "conflict", "task": "x"}, 1, "http://a answered 409."),
        (403, {"code": "limit_reached", "limit": 9}, 1, "There are 9 tasks already, as many as"),
        (400, {"task": ["Too long.", "No."], "detail": "Bad."}, 1, "task: Too long. No.; Bad."),
        (400, {"task": {"a": 1}}, 1, "task: {'a': 1}"),
        (400, ["no"], 1, "http://a answered 400."),
        (401, {"detail": "No"}, 4, "http://a does not accept the login (No). Log in again: taskbeam login"),
        (404, {"detail": "Not found."}, 1, "There is no such task."),
        (503, {"detail": "Later."}, 3, "http://a cannot answer now: Later."),
        (500, {"detail": "x\x1b[2J"}, 1, "http://a answered 500: x\N{REPLACEMENT CHARACTER}[2J"),
    ],
)
def test_refusals(status: int, body: Any, exit_status: int, said: str) -> None:
    refused = refusal("http://a", Answer(status, body))
    assert refused.message.startswith(said)
    assert refused.status == exit_status


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Canned(400, {"op": 0, "errors": {"task": ["Too long."]}}), "f: line 5: task: Too long. (0 tasks"),
        (Canned(400, {"op": 7, "errors": {"task": 1}}), "f: task: 1 (0 tasks"),
        (Canned(429, {"detail": "Slow down."}), "answered 429: Slow down. (0 tasks"),
        (Canned(200, {"done": True}), "not as a gateway of Taskbeam does"),
    ],
)
def test_imports_that_are_refused(folder: Path, answer: Canned, said: str) -> None:
    entries = [Entry(5, "x", "", False, None)]
    with answering(answer) as server, pytest.raises(CommandError) as failed:
        import_tasks(_api(server, folder), "f", entries, lambda tasks: None)
    assert said in failed.value.message
