"""The first message, and every later auth message."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Any

import jwt
import pytest

from tests.support.clients import Account, connected, new_account
from tests.support.frames import assert_nothing_more, create
from tests.support.processes import SECRET_KEY, System
from tests.support.tokens import FOREIGN_KEY, make_token

REFUSED = {"type": "error", "message": "Token Invalid", "code": "token_not_valid"}
MISSING = {"type": "error", "message": "JWT Token Not Found", "code": "token_missing"}


async def test_success_answers_with_exactly_this_frame(system: System, account: Account) -> None:
    claims = jwt.decode(account.access, SECRET_KEY, ["HS256"])
    async with connected(system) as socket:
        frame = await socket.ask({"type": "auth", "token": account.access, "id": "first"})
    assert list(frame) == ["type", "message", "user_id", "expires", "epoch", "seq", "id"]
    expires, epoch = frame.pop("expires"), frame.pop("epoch")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000000Z", expires)
    assert claims["exp"] == _unix(expires)
    assert isinstance(epoch, str)
    assert 0 < len(epoch) <= 32
    assert frame == {
        "type": "auth",
        "message": "Authentication successful",
        "user_id": account.id,
        "seq": 0,
        "id": "first",
    }


def _unix(expires: str) -> float:
    return datetime.fromisoformat(expires).timestamp()


async def test_without_an_id_the_frame_has_none(system: System, account: Account) -> None:
    async with connected(system, account.access) as socket:
        assert list(socket.auth) == ["type", "message", "user_id", "expires", "epoch", "seq"]


async def test_seq_is_the_newest_change(system: System, account: Account) -> None:
    for number in range(3):
        account.rest("POST", "/", {"task": f"Task {number}"})
    async with connected(system, account.access) as socket:
        assert socket.auth["seq"] == 3


def _bad_tokens(account: Account) -> dict[str, str]:
    head, claims, signature = account.access.split(".")
    return {
        "garbage": "garbage",
        "three parts of garbage": "a.b.c",
        "refresh": account.refresh,
        "expired": make_token(SECRET_KEY, str(account.id), seconds=-10),
        "foreign key": make_token(FOREIGN_KEY, str(account.id)),
        "unsigned": make_token(SECRET_KEY, str(account.id), algorithm="none"),
        "tampered": f"{head}.{claims}.{'B' if signature[0] == 'A' else 'A'}{signature[1:]}",
        "no type": make_token(SECRET_KEY, str(account.id), without=("token_type",)),
        "no jti": make_token(SECRET_KEY, str(account.id), without=("jti",)),
        "no expiry": make_token(SECRET_KEY, str(account.id), without=("exp",)),
        "no user": make_token(SECRET_KEY, str(account.id), without=("user_id",)),
        "unknown user": make_token(SECRET_KEY, "999999999"),
        "issued in the future": make_token(SECRET_KEY, str(account.id), iat=4_000_000_000),
        "over 4 KiB": make_token(SECRET_KEY, str(account.id), padding="x" * 4096),
        "no ASCII": "é.è.ê",
    }


@pytest.mark.filterwarnings("ignore::jwt.InsecureKeyLengthWarning")
async def test_the_algorithm_is_fixed_whatever_the_header_says(system: System, account: Account) -> None:
    async with connected(system) as socket:
        token = make_token(SECRET_KEY, str(account.id), algorithm="HS512")
        assert await socket.ask({"type": "auth", "token": token}) == REFUSED
        assert await socket.closed() == 4001


@pytest.mark.parametrize("kind", sorted(_bad_tokens(Account(1, "", "a.b.c", "", None))))  # type: ignore[arg-type]
async def test_a_bad_token_is_answered_and_closed(system: System, account: Account, kind: str) -> None:
    async with connected(system) as socket:
        assert await socket.ask({"type": "auth", "token": _bad_tokens(account)[kind], "id": 7}) == {
            **REFUSED,
            "id": 7,
        }
        assert await socket.closed() == 4001


@pytest.mark.parametrize("token", [17, True, ["x"], {"a": "b"}, 1.5])
async def test_a_token_that_is_no_string_is_refused(system: System, token: object) -> None:
    async with connected(system) as socket:
        assert await socket.ask({"type": "auth", "token": token}) == REFUSED
        assert await socket.closed() == 4001


async def test_a_simplejwt_token_of_the_same_key_is_accepted(system: System, account: Account) -> None:
    async with connected(system, make_token(SECRET_KEY, str(account.id))) as socket:
        assert socket.auth["user_id"] == account.id


@pytest.mark.parametrize("message", [{}, {"token": None}, {"token": ""}], ids=str)
async def test_without_a_token_the_socket_stays_open_for_another_try(
    system: System, account: Account, message: dict[str, Any]
) -> None:
    async with connected(system) as socket:
        assert await socket.ask({"type": "auth", **message}) == MISSING
        assert await socket.ask({"type": "auth", **message, "id": "x"}) == {**MISSING, "id": "x"}
        answer = await socket.ask({"type": "auth", "token": account.access})
        assert answer["type"] == "auth"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("push", "yes"),
        ("push", None),
        ("push", 1),
        ("id", {}),
        ("id", 1.5),
        ("id", True),
        ("id", "x" * 65),
        ("id", 2**64),
    ],
    ids=str,
)
async def test_a_malformed_push_or_id_is_named_and_the_socket_stays_open(
    system: System, account: Account, key: str, value: object
) -> None:
    """A client that is told to log in again would do so for ever."""
    async with connected(system) as socket:
        for token in ({"token": account.access}, {"token": "garbage"}, {}):
            frame = await socket.ask({"type": "auth", **token, key: value})
            assert key in frame.pop("detail")
            assert frame == {"type": "error", "message": "Invalid JSON DATA", "code": "invalid_request"}
        answer = await socket.ask({"type": "auth", "token": account.access})
        assert answer["type"] == "auth"


@pytest.mark.parametrize(
    "message",
    [
        {"mode": "all"},
        {"mode": "create", "data": {"task": "x"}},
        {"mode": "unknown"},
        {"type": "other"},
        {},
        [],
        "text",
        None,
        5,
    ],
    ids=str,
)
async def test_any_other_json_before_auth_is_refused(system: System, message: object) -> None:
    async with connected(system) as socket:
        frame = await socket.ask(json.dumps(message))
        assert frame.pop("mode", None) == (message.get("mode") if isinstance(message, dict) else None)
        assert set(frame) == {"type", "message", "code"}
        assert (frame["type"], frame["code"]) == ("error", "not_authenticated")
        assert await socket.closed() == 4001


async def test_what_follows_a_refusal_is_not_carried_out(system: System, account: Account) -> None:
    async with connected(system) as socket:
        await socket.send({"mode": "all"})
        await socket.send({"type": "auth", "token": account.access})
        await socket.send({"mode": "create", "data": {"task": "x"}})
        assert (await socket.receive())["code"] == "not_authenticated"
        assert await socket.closed() == 4001
    assert account.rest("GET", "/").body == []


async def test_requests_may_follow_the_auth_message_at_once(system: System, account: Account) -> None:
    async with connected(system) as socket:
        await socket.send({"type": "auth", "token": account.access})
        await socket.send({"mode": "create", "data": {"task": "x"}})
        assert (await socket.receive())["type"] == "auth"
        assert (await socket.receive())["mode"] == "create"


async def test_a_session_is_renewed_without_reconnecting(system: System, account: Account) -> None:
    renewed = account.rest("POST", "/token-refresh/", {"refresh": account.refresh}).body["access"]
    async with connected(system, account.access) as socket:
        await create(socket)
        frame = await socket.ask({"type": "auth", "token": renewed, "id": 2})
        assert list(frame) == ["type", "message", "user_id", "expires", "epoch", "seq", "id"]
        assert frame["seq"] == 1
        assert (await create(socket))["seq"] == 2


async def test_a_renewed_session_gets_each_change_once(system: System, account: Account) -> None:
    async with connected(system, account.access) as socket, connected(system, account.access) as other:
        for number in range(1, 11):
            await socket.send({"type": "auth", "token": account.access})
            await other.send({"mode": "create", "data": {"task": "x"}})
            frames = [await socket.receive(), await socket.receive()]
            push = next(frame for frame in frames if frame["type"] == "task.update")
            assert push["seq"] == number
        await assert_nothing_more(socket)


async def test_renewing_with_a_bad_token_ends_the_session(system: System, account: Account) -> None:
    async with connected(system, account.access) as socket:
        assert await socket.ask({"type": "auth", "token": account.refresh}) == REFUSED
        assert await socket.closed() == 4001


async def test_renewing_without_a_token_keeps_the_session(system: System, account: Account) -> None:
    async with connected(system, account.access) as socket:
        assert await socket.ask({"type": "auth"}) == MISSING
        await create(socket)


async def test_the_token_of_another_user_keeps_the_session(system: System, account: Account) -> None:
    other = new_account(system)
    async with connected(system, account.access) as socket:
        frame = await socket.ask({"type": "auth", "token": other.access, "id": "u"})
        assert isinstance(frame.pop("message"), str)
        assert frame == {"type": "error", "code": "user_mismatch", "id": "u"}
        assert (await create(socket))["task"]["user_id"] == account.id


async def test_push_false_gets_answers_only(system: System, account: Account) -> None:
    async with (
        connected(system, account.access, push=False) as quiet,
        connected(system, account.access) as other,
    ):
        await create(other)
        assert (await create(quiet))["seq"] == 2
        await create(other)
        await assert_nothing_more(quiet)


async def test_renewing_can_turn_pushes_on_and_off(system: System, account: Account) -> None:
    async with (
        connected(system, account.access, push=False) as socket,
        connected(system, account.access, push=False) as other,
    ):
        await create(other)
        assert (await socket.ask({"type": "auth", "token": account.access}))["seq"] == 1
        await create(other)
        assert (await socket.receive())["seq"] == 2
        await socket.ask({"type": "auth", "token": account.access, "push": False})
        await create(other)
        await assert_nothing_more(socket)


async def test_the_token_of_a_deleted_user_is_refused(system: System) -> None:
    gone = new_account(system)
    assert gone.rest("DELETE", "/me/", {"current_password": "correct horse battery staple"}).status == 204
    for token in (gone.access, make_token(SECRET_KEY, str(gone.id))):
        async with connected(system) as socket:
            assert await socket.ask({"type": "auth", "token": token}) == REFUSED
            assert await socket.closed() == 4001


async def test_the_token_of_an_ended_family_is_refused(system: System, account: Account) -> None:
    assert account.rest("POST", "/logout/", {"refresh": account.refresh}).status == 200
    async with connected(system) as socket:
        assert await socket.ask({"type": "auth", "token": account.access}) == REFUSED
        assert await socket.closed() == 4001
