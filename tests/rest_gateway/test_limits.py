"""Too large, and too often."""

from __future__ import annotations

import json
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.clients import PASSWORD, Account, Answer, Rest, new_account
from tests.support.processes import ROOT, System, running
from tests.support.waiting import wait_until

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


def test_without_a_trusted_proxy_the_header_is_ignored(tmp_path_factory: pytest.TempPathFactory) -> None:
    with running(tmp_path_factory.mktemp("direct"), LOGIN_ATTEMPTS_PER_MINUTE="1") as system:
        statuses = [_login(system, f"nobody-{number}").status for number in range(6)]
        assert statuses == [401] * 5 + [429]


def test_a_long_name_does_not_block_others_and_matches_no_user(system: System) -> None:
    """NFKC is quadratic in combining characters: of these it would take some ten seconds, each time."""
    marks = "\u0301" * 20_000 + "\u0327" * 20_000
    started = time.perf_counter()
    for name in ("a" + marks, marks, "x" * 200_000, "A" * 151):
        credentials = {"username": name, "password": PASSWORD}
        answer = Rest(system)("POST", "/login/", credentials)
        assert (answer.status, answer.body) == (
            401,
            {"detail": "No active account found with the given credentials"},
        )
        assert list(Rest(system)("POST", "/register/", credentials).body) == ["username"]
    assert time.perf_counter() - started < 5


def test_a_long_password_is_wrong_and_nothing_else(wary_system: System) -> None:
    name = _register(wary_system, _address())
    assert _login(wary_system, name, PASSWORD + "x" * 7000).status == 401
    assert _login(wary_system, name, PASSWORD).status == 200


def test_a_proxy_that_is_not_in_the_settings_is_logged_once(tmp_path: Path) -> None:
    with running(tmp_path) as system:
        for _ in range(3):
            assert Rest(system)("GET", "/healthz", X_Forwarded_For="203.0.113.9").status == 200
        lines = system.gateway.log_lines("X-Forwarded-For")
        assert len(lines) == 1
        assert "WARNING" in lines[0]
        assert "TASKBEAM_TRUSTED_PROXIES" in lines[0]


@pytest.mark.parametrize(("trusted", "statuses"), [("unix", [401] * 6), ("127.0.0.1", [401] * 5 + [429])])
def test_a_peer_on_a_unix_socket_can_be_trusted(tmp_path: Path, trusted: str, statuses: list[int]) -> None:
    system = System(
        tmp_path, {"TASKBEAM_TRUSTED_PROXIES": trusted, "TASKBEAM_LOGIN_ATTEMPTS_PER_MINUTE": "1"}
    )
    path = tmp_path / "rest.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.set_inheritable(True)
        system.gateway.environ["TASKBEAM_REST_FD"] = str(listener.fileno())
        with system.gateway.log.open("ab") as log:
            system.gateway.popen = subprocess.Popen(
                [sys.executable, "-m", "rest_gateway"],
                cwd=ROOT,
                env=system.gateway.environ,
                stdout=log,
                stderr=log,
                pass_fds=[listener.fileno()],
            )
    try:
        wait_until(
            lambda: f"listening on {path}" in system.gateway.log.read_text(), 20, "the log names the path"
        )
        assert [_login_on(path, f"198.51.100.{number}") for number in range(6)] == statuses
        assert system.gateway.stop() == 0
    finally:
        system.gateway.kill_if_running()


def _login_on(path: Path, address: str) -> int:
    body = json.dumps({"username": f"nobody-{secrets.token_hex(6)}", "password": "wrong"}).encode()
    head = (
        "POST /login/ HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nConnection: close\r\n"
        f"X-Forwarded-For: {address}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10)
        connection.connect(str(path))
        connection.sendall(head.encode() + body)
        return int(connection.recv(65536).split()[1])
