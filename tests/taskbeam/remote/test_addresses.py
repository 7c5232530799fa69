"""Where the WebSocket server is, made from the REST address."""

from __future__ import annotations

import pytest

from taskbeam.remote.addresses import socket_of


@pytest.mark.parametrize(
    ("url", "socket"),
    [
        ("http://127.0.0.1:8001", "ws://127.0.0.1:8000/ws/tasks/"),
        ("http://[::1]:8001", "ws://[::1]:8000/ws/tasks/"),
        ("https://tasks.example.org", "wss://tasks.example.org/ws/tasks/"),
        ("https://example.org:8443/tasks", "wss://example.org:8443/tasks/ws/tasks/"),
    ],
)
def test_socket_of(url: str, socket: str) -> None:
    assert socket_of(url) == socket
