"""Heads that are HTTP, and what is asked of them beyond that."""

from __future__ import annotations

import socket

import pytest

from tests.support.clients import Account, new_account
from tests.support.processes import System
from tests.support.raw_http import RawAnswer, ask, exchange, parsed


def _ask(system: System, line: str, *lines: str, host: str | None = "localhost") -> RawAnswer:
    head = [
        f"{line} HTTP/1.1",
        *([] if host is None else [f"Host: {host}"]),
        "Connection: close",
        *lines,
        "",
        "",
    ]
    return ask(system.gateway.port, "\r\n".join(head).encode("latin-1"), method=line.split()[0])


@pytest.mark.parametrize(
    "host",
    [
        "a:99999", "a:65536", "a:x", "a:1:2", "evil/x", "evil?x", "evil#x", "u@evil", "a b", "[", "[::1", "[g::]", "::1", "",
        "caf\xe9", "%zz", "a\\b", "a,b@c", "<a>",
    ],
)  # fmt: skip
def test_a_host_that_is_none_is_refused(system: System, account: Account, host: str) -> None:
    bearer = f"Authorization: Bearer {account.access}"
    for target in ("/?limit=1", "/healthz", "/nowhere"):
        answer = _ask(system, f"GET {target}", bearer, host=host)
        assert (answer.status, list(answer.json)) == (400, ["detail"])


@pytest.mark.parametrize(
    "host",
    [
        "a",
        "a:",
        "a:80",
        "a.b-c_d",
        "127.0.0.1:65535",
        "[::1]",
        "[::1]:8001",
        "a.",
        "%41",
        "xn--caf-dma.example",
    ],
)
def test_a_host_and_port_are_taken(system: System, host: str) -> None:
    assert _ask(system, "GET /healthz", host=host).status == 200


@pytest.mark.parametrize(
    "target", ["http://h/me/", "http://h:1/me", "HTTP://H/me/", "https://[::1]/me/", "http://h/me/?a=b"]
)
def test_a_target_in_absolute_form_is_as_one_in_origin_form(
    system: System, account: Account, target: str
) -> None:
    answer = _ask(system, f"GET {target}", f"Authorization: Bearer {account.access}")
    assert (answer.status, answer.json["username"]) == (200, account.username)


def test_an_absolute_target_says_the_host_of_links(system: System, account: Account) -> None:
    for _ in range(2):
        account.rest("POST", "/", {"task": "x"})
    for target in ("http://other:99/?limit=1", "http://other:99?limit=1"):
        answer = _ask(system, f"GET {target}", f"Authorization: Bearer {account.access}")
        assert answer.json["next"].startswith("http://other:99/?")


@pytest.mark.parametrize(
    "target",
    ["ftp://h/me/", "http://u:p@h/me/", "http://h:99999/", "http:///me/", "http:/me/", "me/", "?a", "*"],
)
def test_another_target_is_refused(system: System, target: str) -> None:
    answer = _ask(system, f"GET {target}")
    assert (answer.status, list(answer.json), answer.headers["connection"]) == (400, ["detail"], "close")


@pytest.mark.parametrize("target", ["h:80", "/", "http://h/"])
def test_there_are_no_tunnels(system: System, target: str) -> None:
    received = exchange(system.gateway.port, f"CONNECT {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    answer = parsed(received)
    assert answer.headers["content-type"] == "application/json"
    assert answer.status in (400, 405)


def test_the_authorization_given_twice_is_bad(system: System, account: Account) -> None:
    other = new_account(system)
    mine, its = f"Authorization: Bearer {account.access}", f"Authorization: Bearer {other.access}"
    for lines in ((mine, its), (mine, mine), ("Authorization: Basic x", mine), (mine, "authorization:")):
        answer = _ask(system, "GET /me/", *lines)
        assert (answer.status, answer.json["code"]) == (401, "bad_authorization_header")
        assert answer.headers["www-authenticate"] == 'Bearer realm="api"'


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        (("Accept: text/html", "Accept: application/json"), 200),
        (("Accept: text/html", "Accept: text/css, */*"), 200),
        (("Accept: text/html", "Accept: text/css"), 406),
    ],
)
def test_several_accept_lines_are_one_list(
    system: System, account: Account, lines: tuple[str, ...], status: int
) -> None:
    assert _ask(system, "GET /me/", f"Authorization: Bearer {account.access}", *lines).status == status


def test_an_expectation_is_met_or_refused_in_json(system: System, account: Account) -> None:
    bearer = f"Authorization: Bearer {account.access}"
    answer = _ask(system, "POST /", bearer, "Expect: something", "Content-Length: 0")
    assert (answer.status, list(answer.json), answer.headers["connection"]) == (417, ["detail"], "close")
    head = f"POST / HTTP/1.1\r\nHost: x\r\n{bearer}\r\nExpect: 100-Continue\r\nContent-Type: application/json\r\n"
    with socket.create_connection(("127.0.0.1", system.gateway.port), timeout=10) as connection:
        connection.sendall(head.encode() + b"Content-Length: 13\r\n\r\n")
        assert connection.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b'{"task": "x"}')
        assert connection.recv(65536).startswith(b"HTTP/1.1 201 Created\r\n")


@pytest.mark.parametrize("asked", ["\xe9", "a\tb", "x" * 5000, "a:b"])
def test_a_preflight_repeats_only_names(system: System, asked: str) -> None:
    lines = ("Origin: http://localhost:1", "Access-Control-Request-Method: PUT")
    answer = _ask(system, "OPTIONS /", *lines, f"Access-Control-Request-Headers: {asked}")
    assert answer.status == 204
    assert "access-control-allow-headers" not in answer.headers


def test_an_upgrade_that_nobody_offers_is_not_made(system: System) -> None:
    upgrade = b"GET /healthz HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
    last = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    assert exchange(system.gateway.port, upgrade, last).count(b"HTTP/1.1 200 OK") == 2


def test_an_upgrade_to_something_else_is_answered_and_ends_the_connection(system: System) -> None:
    """What is behind it is not answered, and its client does not wait for that."""
    upgrade = b"GET /healthz HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n"
    answer = ask(system.gateway.port, upgrade * 2)
    assert answer.status == 200
    assert answer.headers["connection"] == "close"


def test_what_is_behind_an_upgrade_is_checked_like_all_else(system: System) -> None:
    upgrade = b"GET /healthz HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
    for behind, status in (
        (b"CONNECT h:80 HTTP/1.1\r\nHost: x\r\n\r\n", b" 405 "),
        (b"GET http://a:99999/ HTTP/1.1\r\nHost: x\r\n\r\n", b" 400 "),
        (b"GARBAGE\r\n\r\n", b" 400 "),
    ):
        for pieces in ([upgrade + behind], [upgrade, behind], [upgrade * 3 + behind]):
            received = exchange(system.gateway.port, *pieces)
            assert status in received
            assert received.count(b"HTTP/1.1 200 OK") == b"".join(pieces).count(upgrade)
            assert b"text/plain" not in received
    received = exchange(system.gateway.port, upgrade * 1000)
    assert received.count(b"HTTP/1.1 200 OK") < 20
    assert received.count(b"HTTP/1.1 400 ") == 1


@pytest.mark.parametrize(
    "head",
    [
        b"get / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"CONNECT h:80 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nExpect: nonsense\r\n\r\n",
    ],
)
def test_a_client_that_closes_its_side_at_once_gets_the_reason(system: System, head: bytes) -> None:
    for _ in range(20):
        assert ask(system.gateway.port, head, end=True).status in (400, 405, 417)


def test_an_answer_that_ends_the_connection_reaches_who_has_sent_ahead(system: System) -> None:
    refused = b"GET / HTTP/1.1\r\nHost: x\r\nExpect: nonsense\r\n\r\n"
    ahead = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n"
    for _ in range(20):
        assert ask(system.gateway.port, refused + ahead, *[b"x" * 10_000] * 10).status == 417
