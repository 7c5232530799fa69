"""What both servers log of requests, sessions and failed logins; and what fail2ban finds in that."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import pytest

from tests.support.clients import PASSWORD, Account, Rest, connected, new_account
from tests.support.processes import ROOT, Process, System, running
from tests.support.raw_http import exchange

_SUBNET: Final = r"(?P<address>[0-9.]+|[0-9a-f:]+/64)"
_TIME: Final = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
_FORGED: Final = "2026-11-22T11:57:25.175297Z INFO rest_gateway: failed login from 192.0.2.1"
_BREAKS: Final = ("\n", "\r", "\x0b", "\x1b[2K\x1b[1A", "\x85", "\x9b2K", "\u2028", "\udcff")


async def _use(system: System) -> tuple[Account, str]:
    """What the logs are about: requests, a session, and three failed logins; returns the text that must not be logged."""
    account = new_account(system)
    account.rest("GET", "/?search=secret-word", X_Request_ID="id-of-get")
    account.rest("POST", "/", {"task": "secret-task"}, X_Request_ID="id-of-post")
    account.rest("GET", "/nowhere/%0Aforged", X_Request_ID="id-of-nowhere")
    for _ in range(3):
        Rest(system)("POST", "/login/", {"username": account.username, "password": "secret-guess"})
    async with connected(system, account.access) as socket:
        await socket.ask({"mode": "create", "data": {"task": "secret-task"}})
    return account, "secret"


def _try_to_forge(system: System) -> int:
    """Put what would be a line of its own, or move a cursor, wherever it may stand; returns how many logins have failed."""
    texts = [f"ada{break_}{_FORGED}" for break_ in _BREAKS]
    for raw in (text.encode(errors="surrogateescape") for text in texts):
        names = (b"Origin", b"X-Request-ID", b"X-Forwarded-For", b"User-Agent")
        headers = [b"%s: %s\r\n" % (name, raw) for name in names]
        for path in (b"", raw.replace(b" ", b"/"), quote(raw).encode()):
            head = [b"GET /%s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" % path, *headers, b"\r\n"]
            for port in (system.gateway.port, system.ws.port):
                exchange(port, b"".join(head))
    usernames = [text for text in texts if "\udcff" not in text]
    for username in usernames:
        assert Rest(system)("POST", "/login/", {"username": username, "password": "x"}).status == 401
    return len(usernames)


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_nothing_that_a_client_sends_can_forge_a_line(tmp_path: Path, log_format: str) -> None:
    with running(tmp_path, LOG_FORMAT=log_format, LOG_LEVEL="DEBUG", ACCESS_LOG="on") as system:
        failed = _try_to_forge(system)
    for process in (system.gateway, system.ws):
        text = process.log.read_bytes().decode()
        assert text
        for line in text.removesuffix("\n").split("\n"):
            assert line.isprintable()
            if log_format == "json":
                assert json.loads(line)["process"] == process.module
            else:
                assert re.match(rf"{_TIME.pattern} [A-Z]+ {process.module}: ", line)
    assert _found_by_fail2ban(system.gateway.log) == ["127.0.0.1"] * failed


def _requests(process: Process, parse: Callable[[str], Any]) -> list[Any]:
    return [parsed for line in process.log.read_text().splitlines() if (parsed := parse(line))]


def _parse_text(line: str) -> tuple[str, ...] | None:
    match = re.fullmatch(r"\S+ INFO \w+: (\S+) (\S+) (\d+) user=(\S+) ms=[0-9.]+ request_id=(\S+)", line)
    return match and match.groups()


def _parse_json(line: str) -> tuple[str, ...] | None:
    decoded = json.loads(line)
    if decoded["logger"] != "access":
        return None
    user = "-" if decoded["user"] is None else str(decoded["user"])
    return (*decoded["message"].split(), user, decoded["request_id"])


@pytest.mark.parametrize(("log_format", "parse"), [("text", _parse_text), ("json", _parse_json)])
async def test_the_lines(tmp_path: Path, log_format: str, parse: Callable[[str], Any]) -> None:
    with running(tmp_path, LOG_FORMAT=log_format, ACCESS_LOG="on") as system:
        account, secret = await _use(system)
    requests = _requests(system.gateway, parse)
    user = str(account.id)
    assert ("GET", "/", "200", user, "id-of-get") in requests
    assert ("POST", "/", "201", user, "id-of-post") in requests
    assert ("GET", "/nowhere/%0Aforged", "404", "-", "id-of-nowhere") in requests
    assert [request[:4] for request in requests].count(("POST", "/login/", "401", "-")) == 3
    [session] = _requests(system.ws, parse)
    assert session[:4] == ("WebSocket", "/ws/tasks/", "1000", user)
    assert secret not in system.logs()
    assert account.access not in system.logs()
    assert PASSWORD not in system.logs()
    assert _found_by_fail2ban(system.gateway.log) == ["127.0.0.1"] * 3


def test_the_lines_can_be_turned_off(tmp_path: Path) -> None:
    with running(tmp_path, ACCESS_LOG="off") as system:
        new_account(system)
    assert "user=" not in system.logs()


def _filter() -> list[re.Pattern[str]]:
    """The expressions of the page, as fail2ban reads them."""
    page = (ROOT / "docs/howto/monitor.md").read_text()
    found = re.search(r"^failregex = (.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert found is not None
    return [re.compile(line.strip().replace("<SUBNET>", _SUBNET)) for line in found[1].splitlines()]


def _found_by_fail2ban(log: Path) -> list[str]:
    """fail2ban takes the time out of a line before it searches."""
    expressions = _filter()
    assert len(expressions) == 4
    return [
        match["address"]
        for line in log.read_text().splitlines()
        for expression in expressions
        if (match := expression.search(_TIME.sub("", line)))
    ]


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_the_filter_finds_those_who_are_throttled(tmp_path: Path, log_format: str) -> None:
    with running(
        tmp_path, LOG_FORMAT=log_format, LOGIN_ATTEMPTS_PER_MINUTE="1", TRUSTED_PROXIES="127.0.0.1"
    ) as system:
        for number in range(6):
            credentials = {"username": f"nobody-{number}", "password": "x"}
            Rest(system)("POST", "/login/", credentials, X_Forwarded_For="2001:db8::1")
    assert _found_by_fail2ban(system.gateway.log) == ["2001:db8::/64"] * 6
