"""Too large, and too often."""

from __future__ import annotations

import json
import secrets
import socket
import time
from collections.abc import Iterator

import pytest

from tests.support.clients import PASSWORD, Account, Answer, Rest, new_account
from tests.support.processes import System, running

MAX_BYTES = 262144


def _sized(size: int) -> dict[str, str]:
    empty = len(json.dumps({"task": "x", "y": ""}))
    return {"task": "x", "y": "y" * (size - empty)}


def test_a_body_may_have_max_message_bytes(account: Account) -> None:
    assert account.rest("POST", "/", _sized(MAX_BYTES)).status == 201
    answer = account.rest("POST", "/", _sized(MAX_BYTES + 1))
    assert (answer.status, list(answer.body)) == (413, ["detail"])
    assert len(account.rest("GET", "/").body) == 1


@pytest.mark.parametrize("path", ["/login/", "/register/", "/batch/", "/token-refresh/"])
def test_every_body_is_limited(account: Account, path: str) -> None:
    assert account.rest("POST", path, _sized(MAX_BYTES + 1)).status == 413


@pytest.fixture(scope="module")
def wary_system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """Two failures a minute for an account, ten for an address; behind a proxy on this machine. Small bodies."""
    with running(
        tmp_path_factory.mktemp("wary"),
        MAX_MESSAGE_BYTES="8192",
        LOGIN_ATTEMPTS_PER_MINUTE="2",
        TRUSTED_PROXIES="127.0.0.1, 10.0.0.0/8",
    ) as system:
        yield system


@pytest.mark.parametrize(("size", "status"), [(8192, 201), (8193, 413)])
def test_a_body_that_comes_with_its_head_is_limited_too(wary_system: System, size: int, status: int) -> None:
    body = json.dumps(_sized(size)).encode()
    head = (
        "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nConnection: close\r\n"
        f"Authorization: Bearer {new_account(wary_system).access}\r\nContent-Length: {size}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", wary_system.gateway.port), timeout=10) as connection:
        connection.sendall(head.encode() + body)
        answer = connection.recv(65536)
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())


def _address() -> str:
    """One in a network that nobody has used."""
    return f"2001:db8:{secrets.token_hex(2)}:{secrets.token_hex(2)}::{secrets.token_hex(2)}"


def _register(system: System, address: str) -> str:
    name = f"user-{secrets.token_hex(6)}"
    body = {"username": name, "password": PASSWORD}
    answer = Rest(system)("POST", "/register/", body, X_Forwarded_For=address)
    assert answer.status == 201, answer
    return name


def _login(system: System, name: str, password: str = "wrong", address: str | None = None) -> Answer:
    body = {"username": name, "password": password}
    return Rest(system)("POST", "/login/", body, X_Forwarded_For=address or _address())


def _assert_throttled(answer: Answer) -> None:
    assert answer.status == 429
    wait = int(answer.headers["Retry-After"])
    assert 0 < wait <= 60
    assert answer.body == {"detail": f"Request was throttled. Expected available in {wait} seconds."}


def test_an_account_is_locked_after_failed_logins_from_anywhere(wary_system: System) -> None:
    name = _register(wary_system, _address())
    assert [_login(wary_system, name).status for _ in range(2)] == [401, 401]
    _assert_throttled(_login(wary_system, name))
    _assert_throttled(_login(wary_system, name.upper(), PASSWORD))
    other = _register(wary_system, _address())
    assert _login(wary_system, other, PASSWORD).status == 200


def test_a_name_that_nobody_has_is_treated_alike(wary_system: System) -> None:
    name = f"nobody-{secrets.token_hex(6)}"
    assert [_login(wary_system, name).status for _ in range(2)] == [401, 401]
    _assert_throttled(_login(wary_system, name))


def test_logins_that_succeed_do_not_count(wary_system: System) -> None:
    address = _address()
    name = _register(wary_system, address)
    for _ in range(20):
        assert _login(wary_system, name, PASSWORD, address).status == 200


def test_an_address_is_locked_after_five_times_as_many(wary_system: System) -> None:
    address = _address()
    for number in range(10):
        assert _login(wary_system, f"nobody-{number}-{secrets.token_hex(6)}", address=address).status == 401
    _assert_throttled(_login(wary_system, f"nobody-{secrets.token_hex(6)}", address=address))
    body = {"username": f"user-{secrets.token_hex(6)}", "password": PASSWORD}
    _assert_throttled(Rest(wary_system)("POST", "/register/", body, X_Forwarded_For=address))
    assert _register(wary_system, _address())


def test_registrations_count_for_the_address(wary_system: System) -> None:
    address = _address()
    for _ in range(10):
        _register(wary_system, address)
    body = {"username": f"user-{secrets.token_hex(6)}", "password": PASSWORD}
    _assert_throttled(Rest(wary_system)("POST", "/register/", body, X_Forwarded_For=address))


def test_of_a_chain_the_last_hop_that_is_no_trusted_proxy_counts(wary_system: System) -> None:
    address = _address()
    for number in range(10):
        chain = f"203.0.113.{number}, {address}, 10.1.2.{number}"
        assert _login(wary_system, f"nobody-{secrets.token_hex(6)}", address=chain).status == 401
    _assert_throttled(_login(wary_system, f"nobody-{secrets.token_hex(6)}", address=f"192.0.2.1, {address}"))


def test_an_address_is_one_however_it_is_spelled(wary_system: System) -> None:
    host = ".".join(str(octet) for octet in secrets.token_bytes(3))
    spellings = [
        f"203.{host}",
        f"203.{host}:{secrets.randbelow(60000)}",
        f"::ffff:203.{host}",
        f"[::FFFF:203.{host}]:80",
    ]
    for number in range(10):
        assert (
            _login(wary_system, f"nobody-{secrets.token_hex(6)}", address=spellings[number % 4]).status == 401
        )
    for spelling in spellings:
        _assert_throttled(_login(wary_system, f"nobody-{secrets.token_hex(6)}", address=spelling))


def test_ipv6_counts_by_the_network_of_64_bits(wary_system: System) -> None:
    network = f"2001:db8:{secrets.token_hex(2)}:{secrets.token_hex(2)}"
    for number in range(10):
        assert (
            _login(wary_system, f"nobody-{secrets.token_hex(6)}", address=f"{network}::{number}").status
            == 401
        )
    other = f"[{network.upper()}:{secrets.token_hex(2)}::1]:443"
    _assert_throttled(_login(wary_system, f"nobody-{secrets.token_hex(6)}", address=other))


def test_without_a_trusted_proxy_the_header_is_not_believed(tmp_path_factory: pytest.TempPathFactory) -> None:
    with running(tmp_path_factory.mktemp("direct"), LOGIN_ATTEMPTS_PER_MINUTE="1") as system:
        statuses = [_login(system, f"nobody-{number}").status for number in range(6)]
        assert statuses == [401] * 5 + [429]


def test_a_failed_login_takes_as_long_for_an_unknown_user(tmp_path_factory: pytest.TempPathFactory) -> None:
    with running(tmp_path_factory.mktemp("costly"), BCRYPT_ROUNDS="10") as system:

        def quickest(name: str) -> float:
            taken = []
            for _ in range(5):
                started = time.perf_counter()
                assert _login(system, name).status == 401
                taken.append(time.perf_counter() - started)
            return min(taken)

        known, unknown = quickest(new_account(system).username), quickest("nobody-at-all")
        assert 0.5 < known / unknown < 2, "without the hash it would be ten times as quick"
