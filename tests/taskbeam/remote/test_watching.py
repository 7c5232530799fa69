"""``watch`` where nobody answers, or the login ends."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from taskbeam.errors import CommandError
from taskbeam.remote import watching
from taskbeam.remote.logins import Login, Logins
from taskbeam.remote.watching import KeptTokens, watch
from taskbeam_client import Event, LoggedOut, Unreachable
from tests.support.canned_server import Canned, answering
from tests.support.ports import free_port


def _login(url: str, socket: str = "ws://a/ws/tasks/") -> Login:
    return Login(url, socket, "ann", 1, "access", "refresh")


class _View:
    def connected(self, is_connected: bool) -> None:
        raise AssertionError

    def event(self, event: Event) -> None:
        raise AssertionError

    def tick(self) -> None:
        pass


def test_no_websocket_server_is_said_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "_FIRST_SECONDS", 0.4)
    socket = f"ws://127.0.0.1:{free_port()}/ws/tasks/"
    with pytest.raises(CommandError) as failed:
        watch(Logins(tmp_path), _login("http://a", socket), _View())
    said = failed.value.message
    assert said.startswith(f"No WebSocket server answers at {socket} within 0.4 s")
    assert said.endswith("taskbeam login ann --url http://a --socket ws://127.0.0.1:8000/ws/tasks/")


async def test_each_token_is_given_once_and_then_exchanged(tmp_path: Path) -> None:
    answers = Canned(200, {"access": "next"}), Canned(503, {"detail": "Later."}), Canned(401, {})
    with answering(*answers) as server:
        logins, login = Logins(tmp_path), _login(server.url)
        logins.put(login)
        tokens = KeptTokens(logins, login)
        assert [await tokens(), await tokens()] == ["access", "next"]
        with pytest.raises(Unreachable, match="Later"):
            await tokens()
        with pytest.raises(LoggedOut, match="is over"):
            await tokens()
    assert (await asyncio.to_thread(logins.get, server.url)).access == "next"
