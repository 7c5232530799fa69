"""Tokens that were made elsewhere with our key: simplejwt's, and those with claims that nobody can store."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import jwt
import pytest

from tests.support.clients import Account, Rest, connected, new_account
from tests.support.processes import SECRET_KEY, System, running
from tests.support.tokens import make_token
from tests.support.waiting import wait_for_second

BLACKLISTED = {"detail": "Token is blacklisted", "code": "token_not_valid"}
GRACE = 1


@pytest.fixture(scope="module")
def rotating_system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with running(
        tmp_path_factory.mktemp("rotating"), ROTATE_REFRESH_TOKENS="true", REFRESH_GRACE_SECONDS=f"{GRACE}"
    ) as system:
        yield system


def _of_simplejwt(account: Account, kind: str, *without: str) -> str:
    return make_token(SECRET_KEY, f"{account.id}", kind, without=without)


def _post(system: System, path: str, token: str, name: str = "refresh") -> tuple[int, object]:
    answer = Rest(system)("POST", path, {name: token})
    return answer.status, answer.body


async def test_a_token_without_iat_is_good_over_both_transports(system: System, account: Account) -> None:
    """As simplejwt made them before 4.8."""
    token = _of_simplejwt(account, "access", "iat")
    assert Rest(system, token)("GET", "/me/").body["username"] == account.username
    assert _post(system, "/token-verify/", token, "token") == (200, {})
    async with connected(system, token) as socket:
        assert (await socket.ask({"mode": "ping"}))["type"] == "pong"
    refresh = _of_simplejwt(account, "refresh", "iat")
    assert _post(system, "/token-refresh/", refresh)[0] == 200


def test_a_token_without_iat_ends_with_the_password(system: System, account: Account) -> None:
    token = _of_simplejwt(account, "access", "iat")
    body = {"current_password": "correct horse battery staple", "password": "another good password"}
    assert account.rest("PATCH", "/me/", body).status == 200
    assert Rest(system, token)("GET", "/").status == 401


@pytest.mark.parametrize("without", [(), ("iat",)])
def test_a_refresh_token_of_simplejwts_begins_a_family_under_rotation(
    rotating_system: System, without: tuple[str, ...]
) -> None:
    account = new_account(rotating_system)
    theirs = _of_simplejwt(account, "refresh", *without)
    first, second = (Rest(rotating_system)("POST", "/token-refresh/", {"refresh": theirs}) for _ in range(2))
    sids = set()
    for answer in (first, second):
        assert (answer.status, list(answer.body)) == (200, ["access", "refresh"])
        for token in answer.body.values():
            sids.add(jwt.decode(token, options={"verify_signature": False})["sid"])
        assert Rest(rotating_system, answer.body["access"])("GET", "/").status == 200
    assert len(sids) == 1, "both are of one family"
    assert _post(rotating_system, "/token-verify/", theirs, "token") == (200, {}), "it is in its grace"
    wait_for_second(int(time.time()) + GRACE + 1)
    assert _post(rotating_system, "/token-verify/", theirs, "token") == (401, BLACKLISTED)
    assert Rest(rotating_system, first.body["access"])("GET", "/").status == 200, "to ask revokes nothing"
    assert _post(rotating_system, "/token-refresh/", theirs) == (401, BLACKLISTED)
    assert Rest(rotating_system, first.body["access"])("GET", "/").status == 401
    assert _post(rotating_system, "/token-refresh/", first.body["refresh"]) == (401, BLACKLISTED)
    assert account.rest("GET", "/").status == 200, "another family"


def test_a_logout_ends_a_refresh_token_of_simplejwts(rotating_system: System, system: System) -> None:
    for where in (rotating_system, system):
        account = new_account(where)
        theirs, other = (_of_simplejwt(account, "refresh") for _ in range(2))
        assert _post(where, "/logout/", theirs) == (200, {})
        for path, name in (
            ("/token-refresh/", "refresh"),
            ("/token-verify/", "token"),
            ("/logout/", "refresh"),
        ):
            assert _post(where, path, theirs, name) == (401, BLACKLISTED)
        assert _post(where, "/token-refresh/", other)[0] == 200
        assert account.rest("GET", "/").status == 200


def test_a_logout_with_an_exchanged_token_of_simplejwts_ends_its_family(rotating_system: System) -> None:
    account = new_account(rotating_system)
    theirs = _of_simplejwt(account, "refresh")
    pair = Rest(rotating_system)("POST", "/token-refresh/", {"refresh": theirs}).body
    assert _post(rotating_system, "/logout/", theirs) == (200, {})
    assert Rest(rotating_system, pair["access"])("GET", "/").status == 401


def test_to_verify_a_token_that_was_rotated_out_says_so_and_revokes_nothing(rotating_system: System) -> None:
    account = new_account(rotating_system)
    current = Rest(rotating_system)("POST", "/token-refresh/", {"refresh": account.refresh}).body
    assert _post(rotating_system, "/token-verify/", account.refresh, "token") == (200, {})
    wait_for_second(int(time.time()) + GRACE + 1)
    for _ in range(2):
        assert _post(rotating_system, "/token-verify/", account.refresh, "token") == (401, BLACKLISTED)
    for token in current.values():
        assert _post(rotating_system, "/token-verify/", token, "token") == (200, {})
    assert Rest(rotating_system, current["access"])("GET", "/").status == 200


UNSTORABLE: dict[str, object] = {
    "sid": "\ud800",
    "jti": "a\udfffb",
    "token_type": "\ud83d",
    "user_id": "\udc80",
    "exp": 10**300,
    "iat": -(10**300),
    "nbf": 1e308,
    "name": {"deep": ["\ud800"]},
}


@pytest.mark.parametrize("claim", UNSTORABLE)
@pytest.mark.parametrize("kind", ["access", "refresh"])
async def test_a_claim_that_cannot_be_stored_is_a_bad_token(
    rotating_system: System, claim: str, kind: str
) -> None:
    account = new_account(rotating_system)
    claims = {
        "token_type": kind,
        "exp": int(time.time()) + 600,
        "jti": "0" * 32,
        "user_id": f"{account.id}",
        claim: UNSTORABLE[claim],
    }
    token = jwt.PyJWS().encode(json.dumps(claims).encode(), SECRET_KEY, "HS256")
    assert Rest(rotating_system, token)("GET", "/").status == 401
    for path, name in (("/token-refresh/", "refresh"), ("/token-verify/", "token"), ("/logout/", "refresh")):
        status, body = _post(rotating_system, path, token, name)
        assert status == 401
        assert isinstance(body, dict)
        assert body["code"] == "token_not_valid"
    async with connected(rotating_system) as socket:
        assert (await socket.ask({"type": "auth", "token": token}))["code"] == "token_not_valid"
        assert await socket.closed() == 4001


@pytest.mark.parametrize("user_id", [2**63, -1, 10**30, 1.5, "9" * 30, None, {}, "1\x00"])
async def test_an_impossible_user_id_is_a_bad_token(system: System, user_id: object) -> None:
    claims = {"token_type": "access", "exp": int(time.time()) + 600, "jti": "0" * 32, "user_id": user_id}
    token = jwt.PyJWS().encode(json.dumps(claims).encode(), SECRET_KEY, "HS256")
    assert Rest(system, token)("GET", "/").status == 401
    async with connected(system) as socket:
        assert (await socket.ask({"type": "auth", "token": token}))["code"] == "token_not_valid"
