"""``/events/``: the change feed as server-sent events."""

from __future__ import annotations

import time

import pytest

from tests.support.clients import PASSWORD, Account, Rest, connected, new_account
from tests.support.event_stream import event_stream
from tests.support.frames import create
from tests.support.processes import System


def _epoch(account: Account) -> str:
    return account.rest("GET", "/").headers["X-Taskbeam-Epoch"]


async def test_changes_come_from_now_on_whoever_makes_them(system: System, account: Account) -> None:
    account.rest("POST", "/", {"task": "Before"})
    epoch = _epoch(account)
    with event_stream(system, account) as stream:
        created = account.rest("POST", "/", {"task": "From REST"}).body
        event = stream.next()
        assert (event.name, event.id) == ("change", f"{epoch}:2")
        assert list(event.data) == ["seq", "mode", "task_id", "task"]
        assert event.data == {"seq": 2, "mode": "create", "task_id": created["uuid"], "task": created}
        async with connected(system, account.access) as socket:
            await create(socket)
            await socket.ask({"mode": "delete", "task_id": created["uuid"]})
        assert stream.next().id == f"{epoch}:3"
        assert stream.next().data == {"seq": 4, "mode": "delete", "task_id": created["uuid"], "task": None}


def test_a_stream_resumes_after_its_last_event(system: System, account: Account) -> None:
    for number in range(5):
        account.rest("POST", "/", {"task": f"Task {number}"})
    epoch = _epoch(account)
    with event_stream(system, account, Last_Event_ID=f"{epoch}:2") as stream:
        assert [stream.next().data["seq"] for _ in range(3)] == [3, 4, 5]
        account.rest("POST", "/", {"task": "Live"})
        assert stream.next().id == f"{epoch}:6"


def test_it_begins_with_the_place_after_which_it_goes_on(system: System, account: Account) -> None:
    epoch = _epoch(account)
    with event_stream(system, account) as stream:
        assert stream.ready == ("ready", f"{epoch}:0", {"epoch": epoch, "seq": 0})
        headers = stream.response.headers
        assert headers["Cache-Control"] == "no-store, no-transform"
        assert headers["X-Accel-Buffering"] == "no"
    for _ in range(3):
        account.rest("POST", "/", {"task": "x"})
    with event_stream(system, account) as stream:
        assert stream.ready == ("ready", f"{epoch}:3", {"epoch": epoch, "seq": 3})
    with event_stream(system, account, Last_Event_ID=f"{epoch}:2") as stream:
        assert stream.ready == ("ready", f"{epoch}:2", {"epoch": epoch, "seq": 2}), "3 has not been sent yet"
        assert stream.next().id == f"{epoch}:3"


def test_a_stream_on_which_nothing_happened_can_be_resumed(short_timeouts_system: System) -> None:
    account = new_account(short_timeouts_system)
    with event_stream(short_timeouts_system, account) as stream:
        stream.ended()  # with its token
    body = {"username": account.username, "password": PASSWORD}
    access = Rest(short_timeouts_system)("POST", "/login/", body).body["access"]
    account = account._replace(access=access, rest=Rest(short_timeouts_system, access))
    account.rest("POST", "/", {"task": "Meanwhile"})
    with event_stream(short_timeouts_system, account, Last_Event_ID=stream.ready.id) as resumed:
        assert resumed.next().data["task"]["task"] == "Meanwhile"


@pytest.mark.parametrize(
    ("query", "header", "seq"),
    [
        ("lastEventId=EPOCH:1", "", 1),
        ("lastEventId=EPOCH%3A1", "", 1),
        ("lastEventId=nonsense&lastEventId=EPOCH:1", "", 1),
        ("lastEventId=", "", 3),
        ("lastEventId=EPOCH:1", "EPOCH:2", 2),  # the address is older than the header
    ],
)
def test_the_last_event_may_stand_in_the_address(
    system: System, account: Account, query: str, header: str, seq: int
) -> None:
    for _ in range(3):
        account.rest("POST", "/", {"task": "x"})
    epoch = _epoch(account)
    path = f"/events/?{query}".replace("EPOCH", epoch)
    with event_stream(system, account, path=path, Last_Event_ID=header.replace("EPOCH", epoch)) as stream:
        assert stream.ready.id == f"{epoch}:{seq}"
        account.rest("POST", "/", {"task": "Live"})
        assert stream.next().data["seq"] == seq + 1


@pytest.mark.parametrize(
    "named", ["x%0A%0Aevent:%20change%0Adata:%201:1", "%00:1", "%C3%A9:1", "x:%D9%A1", "%FF:1", "x" * 3000]
)
def test_what_a_client_names_is_not_repeated_unless_it_is_an_id(
    system: System, account: Account, named: str
) -> None:
    with event_stream(system, account, path=f"/events/?lastEventId={named}") as stream:
        assert stream.ready == ("ready", ":0", {"epoch": "", "seq": 0})
        assert stream.next().name == "reset"


def test_a_long_absence_is_made_up_for(system: System, account: Account) -> None:
    ops = [{"mode": "create", "data": {"task": "x"}}] * 100
    for _ in range(11):
        account.rest("POST", "/batch/", {"ops": ops})
    with event_stream(system, account, Last_Event_ID=f"{_epoch(account)}:0") as stream:
        assert [stream.next().data["seq"] for _ in range(1100)] == list(range(1, 1101))


@pytest.mark.parametrize(
    ("last", "reason"),
    [("another:1", "epoch_changed"), ("EPOCH:9", "seq_unknown"), ("nonsense", None), ("EPOCH:x", None)],
)
def test_what_cannot_be_resumed_gets_a_reset_and_goes_on_live(
    system: System, account: Account, last: str, reason: str | None
) -> None:
    account.rest("POST", "/", {"task": "Before"})
    epoch = _epoch(account)
    last = last.replace("EPOCH", epoch)
    with event_stream(system, account, Last_Event_ID=last) as stream:
        # Its id is no place of the server's, so a connection that is cut here still gets the reset at its next try.
        assert stream.ready.id == (last if last[-1].isdigit() else ":0")
        event = stream.next()
        assert event.name == "reset"
        assert list(event.data) == ["recovered", "reason", "epoch", "seq"]
        assert event.data == {
            "recovered": False,
            "reason": reason or event.data["reason"],
            "epoch": epoch,
            "seq": 1,
        }
        account.rest("POST", "/", {"task": "Live"})
        assert stream.next().id == f"{epoch}:2"


def test_another_users_stream_hears_nothing(system: System, account: Account) -> None:
    stranger = new_account(system)
    with event_stream(system, stranger) as stream:
        account.rest("POST", "/", {"task": "Not yours"})
        stranger.rest("POST", "/", {"task": "Mine"})
        assert stream.next().data["task"]["task"] == "Mine"


@pytest.mark.parametrize("how", ["logout", "password", "delete"])
def test_it_ends_when_the_token_is_revoked(system: System, how: str) -> None:
    account = new_account(system)
    with event_stream(system, account) as stream:
        _revoke(account, how)
        started = time.monotonic()
        stream.ended()
        assert time.monotonic() - started < 1.5


def _revoke(account: Account, how: str) -> None:
    match how:
        case "logout":
            answer = account.rest("POST", "/logout/", {"refresh": account.refresh})
        case "password":
            body = {"current_password": PASSWORD, "password": "another good password"}
            answer = account.rest("PATCH", "/me/", body)
        case _:
            answer = account.rest("DELETE", "/me/", {"current_password": PASSWORD})
    assert answer.status in (200, 204)


def test_it_ends_when_the_token_expires(short_timeouts_system: System) -> None:
    account = new_account(short_timeouts_system)
    started = time.monotonic()
    with event_stream(short_timeouts_system, account) as stream:
        stream.ended()
    assert time.monotonic() - started < 3


def test_it_needs_a_token(system: System) -> None:
    assert Rest(system)("GET", "/events/").status == 401


@pytest.mark.parametrize(
    "accept", ["text/event-stream", "text/*", "TEXT/Event-Stream;q=0.5, text/html", "*/*", "application/json"]
)
def test_an_accept_header_with_event_streams_is_accepted(
    system: System, account: Account, accept: str
) -> None:
    with event_stream(system, account, Accept=accept) as stream:
        assert stream.ready.name == "ready"


@pytest.mark.parametrize("accept", ["text/html", "text/plain", "image/*", "xtext/event-stream"])
def test_an_accept_header_without_event_streams_is_refused(account: Account, accept: str) -> None:
    answer = account.rest("GET", "/events/", Accept=accept)
    assert (answer.status, answer.body) == (406, {"detail": "Could not satisfy the request Accept header."})
