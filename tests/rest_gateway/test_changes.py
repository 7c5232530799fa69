"""``/changes/``: the body of ``sync``, and the long poll."""

from __future__ import annotations

import threading
import time

import pytest

from tests.support.clients import PASSWORD, Account, Answer, Rest, connected, new_account
from tests.support.frames import create
from tests.support.processes import System


def _epoch(account: Account) -> str:
    return account.rest("GET", "/").headers["X-Taskbeam-Epoch"]


async def test_the_body_is_that_of_sync(system: System, account: Account) -> None:
    async with connected(system, account.access) as socket:
        task_id = (await create(socket))["task_id"]
        await socket.ask({"mode": "delete", "task_id": task_id})
        epoch = socket.auth["epoch"]
        for given, since in ((epoch, 0), (epoch, 1), (epoch, 2), (epoch, 9), ("another", 0)):
            frame = await socket.ask({"mode": "sync", "epoch": given, "since": since})
            answer = account.rest("GET", f"/changes/?epoch={given}&since={since}")
            assert answer.status == 200
            assert list({"type": "sync", **answer.body}) == list(frame)
            assert {"type": "sync", **answer.body} == frame


@pytest.mark.parametrize(
    ("query", "key"),
    [
        ("", "epoch"),
        ("since=0", "epoch"),
        ("epoch=x", "since"),
        ("epoch=x&since=", "since"),
        ("epoch=x&since=-1", "since"),
        ("epoch=x&since=x", "since"),
        ("epoch=x&since=0&wait=31", "wait"),
        ("epoch=x&since=0&wait=-1", "wait"),
        ("epoch=x&since=0&wait=x", "wait"),
        ("epoch=x&since=0&since=x", "since"),
    ],
)
def test_a_bad_parameter_is_named(account: Account, query: str, key: str) -> None:
    answer = account.rest("GET", f"/changes/?{query}")
    assert (answer.status, list(answer.body)) == (400, [key])


def _poll_in_thread(account: Account, path: str) -> tuple[threading.Thread, list[tuple[float, Answer]]]:
    answers: list[tuple[float, Answer]] = []

    def poll() -> None:
        answer = account.rest("GET", path)
        answers.append((time.monotonic(), answer))

    thread = threading.Thread(target=poll)
    thread.start()
    return thread, answers


def test_a_long_poll_is_answered_at_the_next_change(account: Account) -> None:
    thread, answers = _poll_in_thread(account, f"/changes/?epoch={_epoch(account)}&since=0&wait=20")
    for _ in range(20):  # it waits, while others are answered
        assert account.rest("GET", "/").body == []
        assert not answers
    started = time.monotonic()
    account.rest("POST", "/", {"task": "x"})
    thread.join(10)
    ((answered, answer),) = answers
    assert answered - started < 1
    assert [change["seq"] for change in answer.body["changes"]] == [1]
    assert answer.body["seq"] == 1


async def test_a_long_poll_hears_of_the_websockets_changes(system: System, account: Account) -> None:
    path = f"/changes/?epoch={_epoch(account)}&since=0&wait=20"
    thread, answers = _poll_in_thread(account, path)
    async with connected(system, account.access) as socket:
        await create(socket)
    thread.join(10)
    assert answers[0][1].body["seq"] == 1


def test_a_long_poll_that_hears_nothing_ends_with_an_empty_page(account: Account) -> None:
    started = time.monotonic()
    answer = account.rest("GET", f"/changes/?epoch={_epoch(account)}&since=0&wait=1")
    assert 0.9 < time.monotonic() - started < 2.5
    assert answer.body == {"recovered": True, "changes": [], "seq": 0, "more": False}


def test_a_long_poll_does_not_wait_when_there_is_something_to_say(account: Account) -> None:
    account.rest("POST", "/", {"task": "x"})
    started = time.monotonic()
    epoch = _epoch(account)
    assert account.rest("GET", f"/changes/?epoch={epoch}&since=0&wait=20").body["seq"] == 1
    assert account.rest("GET", f"/changes/?epoch={epoch}&since=5&wait=20").body["reason"] == "seq_unknown"
    assert account.rest("GET", "/changes/?epoch=x&since=0&wait=20").body["reason"] == "epoch_changed"
    assert time.monotonic() - started < 2


def test_of_a_parameter_given_twice_the_last_counts(account: Account) -> None:
    account.rest("POST", "/", {"task": "x"})
    epoch = _epoch(account)
    answer = account.rest("GET", f"/changes/?since=x&epoch=another&epoch={epoch}&since=0&wait=x&wait=0")
    assert (answer.status, answer.body["seq"], len(answer.body["changes"])) == (200, 1, 1)


@pytest.mark.parametrize("how", ["logout", "password", "delete"])
def test_a_long_poll_ends_when_its_token_is_revoked(system: System, how: str) -> None:
    account = new_account(system)
    thread, answers = _poll_in_thread(account, f"/changes/?epoch={_epoch(account)}&since=0&wait=20")
    match how:
        case "logout":
            account.rest("POST", "/logout/", {"refresh": account.refresh})
        case "password":
            body = {"current_password": PASSWORD, "password": "another good password"}
            assert account.rest("PATCH", "/me/", body).status == 200
        case _:
            assert account.rest("DELETE", "/me/", {"current_password": PASSWORD}).status == 204
    started = time.monotonic()
    thread.join(10)
    ((answered, answer),) = answers
    assert answered - started < 1
    assert answer.status == 401
    assert answer.body["code"] == ("user_not_found" if how == "delete" else "token_not_valid")
    assert "WWW-Authenticate" in answer.headers


def test_a_long_poll_whose_token_expires_is_answered_at_once_with_what_there_is(
    short_timeouts_system: System,
) -> None:
    account = new_account(short_timeouts_system)
    started = time.monotonic()
    answer = account.rest("GET", f"/changes/?epoch={_epoch(account)}&since=0&wait=20")
    assert time.monotonic() - started < 5
    assert answer.status == 200
    assert answer.body == {"recovered": True, "changes": [], "seq": 0, "more": False}


def test_it_needs_a_token(system: System) -> None:
    assert Rest(system)("GET", "/changes/?epoch=x&since=0").status == 401
