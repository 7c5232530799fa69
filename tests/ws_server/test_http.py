"""Plain HTTP on the WebSocket port: probes, other paths, the handshake's checks."""

from __future__ import annotations

import http.client
import json

import pytest

from tests.support.clients import Account
from tests.support.processes import System
from tests.support.raw_websocket import RawSocket, raw_socket


def _get(system: System, path: str) -> tuple[int, bytes, list[str]]:
    connection = http.client.HTTPConnection("127.0.0.1", system.ws.port, timeout=5)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read(), response.headers.get_all("Content-Type", [])
    finally:
        connection.close()


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/healthz?from=probe"])
def test_the_probes_answer(system: System, path: str) -> None:
    status, body, content_type = _get(system, path)
    assert status == 200
    assert isinstance(json.loads(body), dict)
    assert content_type == ["application/json"]


@pytest.mark.parametrize(
    "path", ["/", "/ws/", "/ws/tasks/more", "/ws/task/", "/WS/tasks/", "/ws/tasks//", "/%2e"]
)
def test_another_path_is_not_found(system: System, path: str) -> None:
    assert _get(system, path)[0] == 404
    raw = RawSocket(system)
    assert raw.handshake(path) == 404
    raw.socket.close()


@pytest.mark.parametrize("path", ["/ws/tasks/", "/ws/tasks"])
def test_a_plain_get_is_answered_with_upgrade_required(system: System, path: str) -> None:
    assert _get(system, path)[0] == 426


@pytest.mark.parametrize("path", ["/ws/tasks/", "/ws/tasks", "/ws/tasks/?v=1", "/ws/tasks?token=x"])
def test_both_spellings_of_the_path_are_served(system: System, account: Account, path: str) -> None:
    raw = RawSocket(system)
    assert raw.handshake(path) == 101
    raw.send_json({"type": "auth", "token": account.access})
    assert raw.receive_json()["user_id"] == account.id
    raw.socket.close()


def _status(system: System, **headers: str) -> int:
    raw = RawSocket(system)
    try:
        return raw.handshake(**headers)
    finally:
        raw.socket.close()


@pytest.mark.parametrize(
    "origin",
    [
        "http://localhost",
        "http://localhost:3000",
        "http://localhost:65535",
        "http://127.0.0.1:5173",
        "http://127.0.0.1",
    ],
)
def test_by_default_pages_of_this_machine_are_allowed(system: System, origin: str) -> None:
    assert _status(system, Origin=origin) == 101


@pytest.mark.parametrize(
    "origin",
    [
        "https://localhost",
        "http://localhost.evil.example",
        "http://localhost:3000.evil.example",
        "http://localhost:",
        "http://localhost:80x",
        "http://evil.example",
        "http://127x0x0x1",
        "null",
        "",
    ],
)
def test_other_pages_are_not_allowed(system: System, origin: str) -> None:
    assert _status(system, Origin=origin) == 403


def test_a_client_without_an_origin_is_allowed(system: System) -> None:
    with raw_socket(system):
        pass


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("https://app.example.org", 101),
        ("http://localhost:8080", 101),
        ("https://app.example.org:444", 403),
        ("http://app.example.org", 403),
        ("https://sub.app.example.org", 403),
        ("https://appxexample.org", 403),
        ("http://127.0.0.1:8080", 403),
    ],
)
def test_allowed_origins_are_what_the_setting_says(
    low_limits_system: System, origin: str, status: int
) -> None:
    assert _status(low_limits_system, Origin=origin) == status


def test_a_refused_origin_is_logged_with_the_setting(system: System) -> None:
    for _ in range(3):
        assert _status(system, Origin="https://told-once.example") == 403
    lines = system.ws.log_lines("told-once.example")
    assert len(lines) == 1
    assert "ALLOWED_ORIGINS" in lines[0]
