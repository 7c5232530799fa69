"""Passwords that many give at once, wrong ones, and hashes that are not ours."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import ipaddress
import os
import secrets
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import aiohttp
import pytest

from shared.auth.password_hashes import hash_password
from shared.store.postgres.hash_costs import hash_cost
from tests.support.clients import PASSWORD, Account, Answer, Rest, new_account
from tests.support.processes import System, running
from tests.support.waiting import until, wait_until

NEW = "another good password"
WRONG = {"current_password": ["Wrong password."]}
LIMIT = 3
_PLACES: Final = 50 * (os.cpu_count() or 1)  # in the queue


@pytest.fixture(scope="module")
def wary_system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """Three failures a minute for an account; behind a proxy on this machine."""
    with running(
        tmp_path_factory.mktemp("wary"), LOGIN_ATTEMPTS_PER_MINUTE=f"{LIMIT}", TRUSTED_PROXIES="127.0.0.1"
    ) as system:
        yield system


def _address() -> str:
    return "2001:db8:{}:{}::1".format(*(secrets.token_hex(2) for _ in range(2)))


def _register(system: System) -> str:
    name = f"user-{secrets.token_hex(6)}"
    credentials = {"username": name, "password": PASSWORD}
    assert Rest(system)("POST", "/register/", credentials, X_Forwarded_For=_address()).status == 201
    return name


def _login(system: System, name: str, password: str, address: str) -> Answer:
    credentials = {"username": name, "password": password}
    return Rest(system)("POST", "/login/", credentials, X_Forwarded_For=address)


def _patch(system: System, token: str, current: str, address: str, new: str = NEW) -> Answer:
    body = {"current_password": current, "password": new}
    return Rest(system, token)("PATCH", "/me/", body, X_Forwarded_For=address)


def _delete(system: System, token: str, current: str, address: str) -> Answer:
    return Rest(system, token)("DELETE", "/me/", {"current_password": current}, X_Forwarded_For=address)


def test_wrong_guesses_do_not_lock_out_the_owner_at_a_known_address(wary_system: System) -> None:
    name, home = _register(wary_system), _address()
    assert _login(wary_system, name, PASSWORD, home).status == 200
    statuses = [_login(wary_system, name, "wrong", _address()).status for _ in range(2 * LIMIT)]
    assert statuses == [401] * LIMIT + [429] * LIMIT
    assert _login(wary_system, name, PASSWORD, _address()).status == 429, "who is it?"
    for _ in range(3):
        assert _login(wary_system, name, PASSWORD, home).status == 200
    statuses = [_login(wary_system, name, "wrong", home).status for _ in range(LIMIT + 1)]
    assert statuses == [401] * LIMIT + [429], "nor may somebody at home guess for ever"


def test_where_the_owner_has_logged_in_is_known_after_a_restart(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with running(
        tmp_path_factory.mktemp("again"), LOGIN_ATTEMPTS_PER_MINUTE="1", TRUSTED_PROXIES="127.0.0.1"
    ) as system:
        name, home = _register(system), _address()
        assert _login(system, name, PASSWORD, home).status == 200
        assert system.gateway.stop() == 0
        system.gateway.start()
        assert [_login(system, name, "wrong", _address()).status for _ in range(2)] == [401, 429]
        assert _login(system, name, PASSWORD, home).status == 200


def test_a_user_can_change_the_password_while_others_guess_it(wary_system: System) -> None:
    name = _register(wary_system)
    access = _login(wary_system, name, PASSWORD, _address()).body["access"]
    for _ in range(LIMIT + 1):
        _login(wary_system, name, "wrong", _address())
    assert _patch(wary_system, access, PASSWORD, _address()).status == 200, "from where nobody has logged in"


@pytest.mark.parametrize("guess", [_patch, _delete])
def test_a_wrong_current_password_counts_as_a_failed_login(
    wary_system: System, guess: Callable[[System, str, str, str], Answer]
) -> None:
    name, home = _register(wary_system), _address()
    access = _login(wary_system, name, PASSWORD, home).body["access"]
    for _ in range(LIMIT):
        answer = guess(wary_system, access, "wrong", home)
        assert (answer.status, answer.body) == (400, WRONG)
    for answer in (
        _patch(wary_system, access, PASSWORD, home),
        _delete(wary_system, access, PASSWORD, home),
        _login(wary_system, name, PASSWORD, home),
    ):
        assert answer.status == 429
        assert 0 < int(answer.headers["Retry-After"]) <= 60
    assert Rest(wary_system, access)("GET", "/me/").status == 200


def test_guesses_with_a_stolen_token_count_wherever_they_come_from(wary_system: System) -> None:
    name = _register(wary_system)
    access = _login(wary_system, name, PASSWORD, _address()).body["access"]
    statuses = [_patch(wary_system, access, "wrong", _address()).status for _ in range(LIMIT + 1)]
    assert statuses == [400] * LIMIT + [429]


def test_what_is_refused_for_another_reason_is_no_guess(wary_system: System) -> None:
    name, home = _register(wary_system), _address()
    access = _login(wary_system, name, PASSWORD, home).body["access"]
    for _ in range(2 * LIMIT):
        assert _patch(wary_system, access, PASSWORD, home, new="short").status == 400
        assert _login(wary_system, name, PASSWORD, home).status == 200
    assert _patch(wary_system, access, PASSWORD, home).status == 200


def test_registrations_lock_no_logins(wary_system: System) -> None:
    name, home = _register(wary_system), _address()

    def register() -> int:
        credentials = {"username": f"user-{secrets.token_hex(6)}", "password": PASSWORD}
        return Rest(wary_system)("POST", "/register/", credentials, X_Forwarded_For=home).status

    assert [register() for _ in range(5 * LIMIT + 1)] == [201] * 5 * LIMIT + [429]
    assert _login(wary_system, name, PASSWORD, home).status == 200


def test_a_throttled_address_is_in_the_log_once(wary_system: System) -> None:
    home = _address()
    for _ in range(5 * LIMIT + 5):
        _login(wary_system, f"nobody-{secrets.token_hex(6)}", "wrong", home)
    network = ipaddress.ip_network(f"{home}/64", strict=False)
    lines = [
        line
        for line in wary_system.gateway.log_lines("throttled: too many failed logins")
        if str(network) in line
    ]
    assert len(lines) == 1
    assert "WARNING" in lines[0]


def _stored(system: System, account: Account, hashed: str | None = None) -> str:
    """The stored hash; replaced by another, if there is one."""
    if hashed is not None:
        system.execute("UPDATE users SET password = :hashed WHERE id = :id", hashed=hashed, id=account.id)
        if not system.database_url.startswith("sqlite:"):
            form, cost = hash_cost(hashed)
            system.execute(
                "UPDATE users SET hash_form = :form, hash_cost = :cost WHERE id = :id",
                form=form,
                cost=cost,
                id=account.id,
            )
    [(stored,)] = system.execute("SELECT password FROM users WHERE id = :id", id=account.id)
    return str(stored)


def _pbkdf2(password: str, iterations: int) -> str:
    digest = hashlib.pbkdf2_hmac("sha256", password.encode(), b"salt", iterations)
    return f"pbkdf2_sha256${iterations}$salt${base64.b64encode(digest).decode()}"


@pytest.mark.parametrize(
    "hashed",
    [hash_password(PASSWORD, 5), hash_password(PASSWORD, 7), _pbkdf2(PASSWORD, 1000)],
    ids=["cheaper", "dearer", "pbkdf2"],
)
def test_a_hash_of_another_form_or_cost_is_renewed_at_login(system: System, hashed: str) -> None:
    account = new_account(system)
    _stored(system, account, hashed)
    assert _login(system, account.username, "wrong", "").status == 401
    assert _stored(system, account) == hashed
    assert _login(system, account.username, PASSWORD, "").status == 200
    wait_until(
        lambda: _stored(system, account).startswith("bcrypt_sha256$$2b$04$"), 10, "the hash is made anew"
    )
    assert _login(system, account.username, PASSWORD, "").status == 200
    assert account.rest("GET", "/").status == 200, "no token ends for it"
    assert _patch(system, account.access, PASSWORD, "").status == 200


def test_logins_at_once_while_a_hash_is_renewed_all_succeed(system: System) -> None:
    account = new_account(system)
    for _ in range(3):
        _stored(system, account, hash_password(PASSWORD, 5))
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: _login(system, account.username, PASSWORD, ""), range(16)))
        assert {answer.status for answer in answers} == {200}


def test_of_two_changes_with_the_same_current_password_one_is_refused(system: System) -> None:
    for _ in range(5):
        account = new_account(system)
        _stored(system, account, hash_password(PASSWORD, 8))
        news = [f"{NEW} {number}" for number in range(2)]
        with ThreadPoolExecutor(2) as pool:
            changes = [pool.submit(_patch, system, account.access, PASSWORD, "", new) for new in news]
        answers = [change.result() for change in changes]
        [lost] = [answer for answer in answers if answer.status != 200]
        # 401: it came so late that the other had ended its token already.
        assert lost.status == 401 or (lost.status, lost.body) == (400, WRONG), answers
        logins = [_login(system, account.username, new, "").status for new in (PASSWORD, *news)]
        assert sorted(logins) == [200, 401, 401]


def test_a_password_that_is_changed_while_the_account_is_deleted(system: System) -> None:
    for _ in range(5):
        account = new_account(system)
        _stored(system, account, hash_password(PASSWORD, 8))
        with ThreadPoolExecutor(2) as pool:
            patched = pool.submit(_patch, system, account.access, PASSWORD, "")
            deleted = pool.submit(_delete, system, account.access, PASSWORD, "")
        outcome = patched.result().status, deleted.result().status
        assert outcome in ((200, 400), (200, 401), (401, 204), (400, 204)), outcome


@pytest.fixture(scope="module")
def costly_system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A check takes some 15 ms of a core."""
    with running(tmp_path_factory.mktemp("costly"), BCRYPT_ROUNDS="8") as system:
        yield system


async def test_one_users_many_passwords_keep_no_other_waiting(costly_system: System) -> None:
    busy, other = new_account(costly_system), new_account(costly_system)
    body = {"current_password": "wrong", "password": NEW}
    authorization = {"Authorization": f"Bearer {busy.access}"}
    async with (
        aiohttp.ClientSession(costly_system.rest_url, connector=aiohttp.TCPConnector(limit=0)) as session,
        asyncio.timeout(60),
    ):

        async def guess() -> int:
            async with session.patch("/me/", json=body, headers=authorization) as answer:
                return answer.status

        async def log_in() -> float:
            started = time.monotonic()
            credentials = {"username": other.username, "password": PASSWORD}
            async with session.post("/login/", json=credentials) as answer:
                assert answer.status == 200, await answer.text()
            return time.monotonic() - started

        alone = await log_in()
        guesses = [asyncio.create_task(guess()) for _ in range(_PLACES + 20)]
        await until(
            lambda: any(task.done() for task in guesses), 10, "the queue is full, or its first is out"
        )
        for _ in range(3):
            assert await log_in() < 10 * alone + 0.5
        assert not all(task.done() for task in guesses), "or there was nobody to wait for"
        statuses = await asyncio.gather(*guesses)
        assert set(statuses) == {400, 503}
        assert statuses.count(503) < _PLACES


def _processor_seconds(system: System) -> float:
    """What the gateway's threads have used. Linux."""
    tasks = Path(f"/proc/{system.gateway.pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def _failed_login(system: System, name: str) -> tuple[float, float]:
    """The processor's time for some failed logins, which other processes do not lengthen, and the least that one took."""
    before, quickest = _processor_seconds(system), 60.0
    for _ in range(5):
        started = time.perf_counter()
        assert _login(system, name, "wrong", "").status == 401
        quickest = min(quickest, time.perf_counter() - started)
    return _processor_seconds(system) - before, quickest


@pytest.mark.parametrize("form", ["ours", "!unusable", "cheaper", "pbkdf2"])
def test_a_failed_login_is_as_much_work_whatever_hash_is_stored(costly_system: System, form: str) -> None:
    made = {"ours": hash_password("x", 8), "cheaper": hash_password("x", 4), "pbkdf2": _pbkdf2("x", 5000)}
    account = new_account(costly_system)
    _stored(costly_system, account, made.get(form, form))
    known, _ = _failed_login(costly_system, account.username)
    unknown, _ = _failed_login(costly_system, "nobody-at-all")
    assert 0.6 < known / unknown < 1.6


def test_a_failed_login_waits_as_long_as_one_of_a_dearer_hash_works(costly_system: System) -> None:
    account = new_account(costly_system)
    _stored(costly_system, account, hash_password("x", 10))
    work, _ = _failed_login(costly_system, account.username)
    for name in ("nobody-at-all", new_account(costly_system).username):
        _, took = _failed_login(costly_system, name)
        assert took > 0.6 * work / 5, "without the wait it would be a quarter"
    _stored(costly_system, account, "!")


async def test_logins_that_wait_do_not_hold_up_the_end(tmp_path: Path) -> None:
    with running(tmp_path, BCRYPT_ROUNDS="12") as system:
        async with (
            aiohttp.ClientSession(system.rest_url, connector=aiohttp.TCPConnector(limit=0)) as session,
            asyncio.timeout(60),
        ):

            async def log_in(number: int) -> int:
                credentials = {"username": f"nobody-{number}", "password": "wrong"}
                async with session.post("/login/", json=credentials) as answer:
                    return answer.status

            logins = [asyncio.create_task(log_in(number)) for number in range(_PLACES // 2)]
            await asyncio.wait(logins, return_when=asyncio.FIRST_COMPLETED)
            assert await asyncio.to_thread(system.gateway.stop) == 0
            statuses = await asyncio.gather(*logins)
    assert set(statuses) == {401, 503}
    assert statuses.count(503) > _PLACES // 4
