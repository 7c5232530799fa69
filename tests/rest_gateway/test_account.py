"""The bearer's own account, and what ends its tokens."""

from __future__ import annotations

import contextlib
import re
import time

import pytest
import websockets

from tests.support.clients import PASSWORD, Account, Answer, Rest, Socket, connected, new_account
from tests.support.processes import SECRET_KEY, System
from tests.support.tokens import make_token
from tests.support.workers import on_every_worker

NEW_PASSWORD = "another good password"
ACCESS_REVOKED = {
    "detail": "Given token not valid for any token type",
    "code": "token_not_valid",
    "messages": [
        {"token_class": "AccessToken", "token_type": "access", "message": "Token is blacklisted"},
    ],
}
REFRESH_REVOKED = {"detail": "Token is blacklisted", "code": "token_not_valid"}


def _login(system: System, account: Account, password: str = PASSWORD) -> Answer:
    return Rest(system)("POST", "/login/", {"username": account.username, "password": password})


def _another_session(system: System, account: Account) -> Account:
    tokens = _login(system, account).body
    return account._replace(**tokens, rest=Rest(system, tokens["access"]))


def _assert_ended(system: System, account: Account) -> None:
    answer = account.rest("GET", "/")
    assert (answer.status, answer.body) == (401, ACCESS_REVOKED)
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="api"'
    for path, body in (
        ("/token-refresh/", {"refresh": account.refresh}),
        ("/token-verify/", {"token": account.refresh}),
        ("/token-verify/", {"token": account.access}),
        ("/logout/", {"refresh": account.refresh}),
    ):
        answer = Rest(system)("POST", path, body)
        assert (answer.status, answer.body) == (401, REFRESH_REVOKED), path


def test_me_shows_the_account(account: Account) -> None:
    answer = account.rest("GET", "/me/")
    assert (answer.status, list(answer.body)) == (200, ["id", "username", "date_joined"])
    assert (answer.body["id"], answer.body["username"]) == (account.id, account.username)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", answer.body["date_joined"])


def test_me_needs_a_token(system: System) -> None:
    for method in ("GET", "PATCH", "DELETE"):
        assert Rest(system)(method, "/me/", {} if method == "PATCH" else None).status == 401


def test_a_logout_ends_its_family_alone(system: System, account: Account) -> None:
    other = _another_session(system, account)
    refreshed = Rest(system)("POST", "/token-refresh/", {"refresh": account.refresh}).body["access"]
    answer = Rest(system)("POST", "/logout/", {"refresh": account.refresh})
    assert (answer.status, answer.body) == (200, {})
    _assert_ended(system, account)
    assert Rest(system, refreshed)("GET", "/").body == ACCESS_REVOKED
    assert other.rest("GET", "/").status == 200
    assert _login(system, account).status == 200


def test_a_new_password_ends_all_tokens(system: System, account: Account) -> None:
    other = _another_session(system, account)
    me = account.rest("GET", "/me/").body
    body = {"current_password": PASSWORD, "password": NEW_PASSWORD}
    answer = account.rest("PATCH", "/me/", body)
    assert (answer.status, answer.body) == (200, me)
    _assert_ended(system, account)
    _assert_ended(system, other)
    assert _login(system, account).status == 401
    assert _login(system, account, NEW_PASSWORD).status == 200


def test_a_simplejwt_token_ends_with_the_password_too(system: System, account: Account) -> None:
    token = make_token(SECRET_KEY, str(account.id))
    assert Rest(system, token)("GET", "/").status == 200
    account.rest("PATCH", "/me/", {"current_password": PASSWORD, "password": NEW_PASSWORD})
    assert Rest(system, token)("GET", "/").body == ACCESS_REVOKED


def test_a_deleted_account_and_its_tasks_are_gone(system: System, account: Account) -> None:
    task_id = account.rest("POST", "/", {"task": "x"}).body["uuid"]
    answer = account.rest("DELETE", "/me/", {"current_password": PASSWORD})
    assert (answer.status, answer.body) == (204, None)
    gone = account.rest("GET", f"/task/{task_id}/")
    assert (gone.status, gone.body) == (401, {"detail": "User not found", "code": "user_not_found"})
    refreshed = Rest(system)("POST", "/token-refresh/", {"refresh": account.refresh})
    assert (refreshed.status, refreshed.body) == (
        401,
        {"detail": "No active account found for the given token.", "code": "no_active_account"},
    )
    assert _login(system, account).status == 401
    again = Rest(system)("POST", "/register/", {"username": account.username, "password": PASSWORD})
    assert again.status == 201
    assert again.body["id"] != account.id, "an old token must not meet a new user"
    assert account.rest("GET", "/").status == 401


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
@pytest.mark.parametrize(
    ("current", "message"),
    [
        ("wrong", "Wrong password."),
        (f" {PASSWORD} ", "Wrong password."),
        (None, "This field may not be null."),
        ("", "This field may not be blank."),
        (True, "Not a valid string."),
    ],
)
def test_the_current_password_must_be_right(
    account: Account, method: str, current: object, message: str
) -> None:
    body = {"current_password": current, "password": NEW_PASSWORD}
    answer = account.rest(method, "/me/", body)
    assert (answer.status, answer.body) == (400, {"current_password": [message]})
    assert account.rest("GET", "/me/").status == 200


def test_every_bad_field_is_named(account: Account) -> None:
    assert account.rest("DELETE", "/me/").body == {"current_password": ["This field is required."]}
    assert account.rest("PATCH", "/me/", {"password": "short"}).body == {
        "current_password": ["This field is required."],
        "password": ["This password is too short. It must contain at least 8 characters."],
    }


def _end(account: Account, how: str) -> None:
    match how:
        case "logout":
            answer = account.rest("POST", "/logout/", {"refresh": account.refresh})
        case "password":
            body = {"current_password": PASSWORD, "password": NEW_PASSWORD}
            answer = account.rest("PATCH", "/me/", body)
        case _:
            answer = account.rest("DELETE", "/me/", {"current_password": PASSWORD})
    assert answer.status in (200, 204)


@pytest.mark.parametrize("how", ["logout", "password", "delete"])
async def test_sockets_on_every_worker_are_closed_within_a_second(
    two_worker_system: System, how: str
) -> None:
    account, stranger = new_account(two_worker_system), new_account(two_worker_system)
    async with (
        on_every_worker(two_worker_system, account.access) as sockets,
        connected(two_worker_system, stranger.access) as theirs,
    ):
        _end(account, how)
        started = time.monotonic()
        assert [await socket.closed() for socket in sockets] == [4403, 4403]
        assert time.monotonic() - started < 1
        assert (await theirs.ask({"mode": "ping"}))["type"] == "pong"


async def test_a_logout_leaves_the_sockets_of_other_families(two_worker_system: System) -> None:
    account = new_account(two_worker_system)
    other = _another_session(two_worker_system, account)
    async with (
        on_every_worker(two_worker_system, account.access) as ended,
        on_every_worker(two_worker_system, other.access) as kept,
    ):
        _end(account, "logout")
        assert [await socket.closed() for socket in ended] == [4403, 4403]
        for socket in kept:
            assert (await socket.ask({"mode": "ping"}))["type"] == "pong"


async def test_a_socket_that_was_renewed_from_another_family_stays(system: System, account: Account) -> None:
    other = _another_session(system, account)
    async with connected(system, account.access) as renewed, connected(system, account.access) as ended:
        assert (await renewed.ask({"type": "auth", "token": other.access}))["type"] == "auth"
        _end(account, "logout")
        assert await ended.closed() == 4403
        assert (await renewed.ask({"mode": "ping"}))["type"] == "pong"


async def test_a_deleted_users_socket_never_writes_again(system: System) -> None:
    for _ in range(10):
        account = new_account(system)
        async with connected(system, account.access) as socket:
            _end(account, "delete")
            codes = await _write_to_the_end(socket)
            assert await socket.closed() == 4403
            assert codes <= {"token_not_valid", "not_authenticated"}, "no other code says so in the contract"


async def _write_to_the_end(socket: Socket) -> set[str | None]:
    """The codes of what was answered before the connection was closed."""
    codes: set[str | None] = set()
    with contextlib.suppress(websockets.ConnectionClosed):
        for _ in range(5):
            await socket.send({"mode": "create", "data": {"task": "Too late"}})
        while True:
            codes.add((await socket.receive()).get("code"))
    return codes
