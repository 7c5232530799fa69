"""What answers a handshake in the server's place, before the client was ever connected, and after."""

from __future__ import annotations

import pytest

from taskbeam_client import Backoff, ClientDefect, Session, TaskbeamClient
from tests.support.clients import Account
from tests.support.processes import System
from tests.support.waiting import until
from tests.taskbeam_client.fake_server import fake_server, http
from tests.taskbeam_client.support import equals_server
from tests.taskbeam_client.tcp_relay import tcp_relay

PAGE = b"<html>log in to the hotel</html>"
PASSES = [408, 425, 429, 500, 502, 503, 504]
FOREIGN = {
    **{f"{status}": http(status, PAGE) for status in (200, 400, 401, 403, 404, 405, 407, 426, *PASSES)},
    "a portal": http(302, Location="http://portal.example/"),
    "a redirect to nowhere": http(302, Location="http://[/"),
    "a redirect without an end": http(302, Location="?again"),
    "an upgrade to something else": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n",
    "another key": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: AAAA\r\n\r\n",
    "nothing": b"",
    "half a head": b"HTTP/1.1 101 Switching Prot",
    "garbage": b"\x16\x03\x01\x00\x00",
}


@pytest.fixture(autouse=True)
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four refusals are enough, however quickly they come."""
    monkeypatch.setattr("taskbeam_client.connector._PATIENCE_SECONDS", 0.0)


async def token() -> str:
    return "a token"


def client_of(url: str) -> TaskbeamClient:
    return TaskbeamClient(url, token, backoff=Backoff(0.01, 0.02), connect_options={"proxy": None})


def _warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]


@pytest.mark.parametrize("what", FOREIGN)
async def test_once_connected_it_goes_on_trying(
    what: str, system: System, account: Account, caplog: pytest.LogCaptureFixture
) -> None:
    session = Session(system.rest_url, account.refresh)
    async with (
        tcp_relay(system) as relay,
        TaskbeamClient(
            relay.url + "?secret", session, backoff=Backoff(0.01, 0.02), connect_options={"proxy": None}
        ) as client,
    ):
        await client.ready()
        relay.fixed_answer = FOREIGN[what]
        relay.disconnect_all()
        waiting = client.create("Written offline")
        await until(lambda: relay.connections >= 10, 20, "it tries again and again")
        # Ten connections may be one try that is redirected again and again.
        await until(lambda: bool(_warnings(caplog)), 10, "it says so")
        assert not waiting.done()
        warnings = _warnings(caplog)
        assert len(warnings) == 1
        assert relay.url in warnings[0]
        assert "secret" not in caplog.text
        relay.fixed_answer = None
        await waiting
        await equals_server(client, account)


@pytest.mark.parametrize("status", [200, 401, 403, 404, 407, 426])
async def test_at_first_the_address_may_be_wrong(status: int) -> None:
    async with fake_server(http(status, PAGE)) as server:
        client = client_of(f"ws://127.0.0.1:{server.port}/tasks/")
        with pytest.raises(ClientDefect, match=f"ws://127.0.0.1:{server.port}/tasks/.*{status}"):
            async with client:
                await client.ready()
        assert len(server.requests) == 4


@pytest.mark.parametrize("status", PASSES)
async def test_some_answers_say_themselves_that_they_pass(status: int) -> None:
    async with (
        fake_server(http(status, PAGE)) as server,
        client_of(f"ws://127.0.0.1:{server.port}/") as client,
    ):
        await until(lambda: len(server.requests) >= 8, 20, "it tries again and again")
        assert client.waiting == 0


async def test_patience_is_a_matter_of_time_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("taskbeam_client.connector._PATIENCE_SECONDS", 60.0)
    async with fake_server(http(404, PAGE)) as server, client_of(f"ws://127.0.0.1:{server.port}/") as client:
        await until(lambda: len(server.requests) >= 8, 20, "it tries again and again")
        assert client.waiting == 0


@pytest.mark.parametrize("url", ["", "http://127.0.0.1/ws/tasks/", "127.0.0.1:8000", "ws://"])
async def test_an_invalid_address_raises_an_error_at_once(url: str) -> None:
    with pytest.raises(ClientDefect, match="url: "):
        async with client_of(url) as client:
            await client.ready()
