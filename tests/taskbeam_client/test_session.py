"""Tokens over a network that cuts and replaces answers, and gateways that are none."""

from __future__ import annotations

import asyncio
import gc
import ssl
import threading
import time
from pathlib import Path

import pytest

from taskbeam_client import Backoff, LoggedOut, Session, TaskbeamClient, TaskbeamClientError, Unreachable
from taskbeam_client.rest import post
from tests.support.certificates import make_certificate
from tests.support.ports import free_port
from tests.support.waiting import until
from tests.taskbeam_client.fake_server import fake_server, http, tokens

PORTAL = b"<html>log in to the hotel</html>"
OK = b"HTTP/1.1 200 OK\r\n"
FOREIGN = {
    "nothing": b"",
    "a cut status line": b"HTTP/1.1 20",
    "cut headers": OK + b"Content-Type: applic",
    "a cut body": OK + b'Content-Length: 500\r\n\r\n{"access":"ey',
    "a cut chunk": OK + b'Transfer-Encoding: chunked\r\n\r\n20\r\n{"access":"ey',
    "a broken chunk": OK + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n{}",
    "a broken length": OK + b"Content-Length: many\r\n\r\n{}",
    "too many headers": OK + b"".join(b"X-%d: 1\r\n" % number for number in range(200)) + b"\r\n",
    "a long line": OK + b"X: " + b"x" * 70_000 + b"\r\n\r\n",
    "a portal": http(200, PORTAL),
    "a redirect to a portal": http(302, Location="http://portal.example/"),
    "a redirect to nowhere": http(307, Location="http://[/"),
    "other JSON": http(200, {"hello": "world"}),
    "a list": http(200, []),
    "a number": http(200, 7),
    "a token that is no text": http(200, {"access": 7}),
    "an empty token": http(200, {"access": ""}),
    "half of UTF-8": http(200, b'{"access": "\xff"}'),
    "much too much": http(200, {"access": "x" * 100_000}),
    "deep nesting": http(200, b"[" * 60_000),
    "garbage": b"\x16\x03\x01\x00\x00",
    "another protocol": b"SSH-2.0-OpenSSH_9.2\r\n",
    **{f"a page with {status}": http(status, PORTAL) for status in (201, 400, 401, 403, 404, 407, 408, 425)},
    **{f"JSON with {status}": http(status, {"detail": "No."}) for status in (403, 404, 405, 429, 500, 503)},
    "a list with 401": http(401, ["No."]),
}


@pytest.mark.parametrize("what", FOREIGN)
async def test_what_is_no_gateways_answer_means_try_later(what: str) -> None:
    async with fake_server(FOREIGN[what]) as gateway:
        url = f"http://127.0.0.1:{gateway.port}"
        session = Session(url, "refresh")
        with pytest.raises(Unreachable, match=url) as unreachable:
            await session()
        assert isinstance(unreachable.value, OSError)
        assert str(unreachable.value).isprintable()
        with pytest.raises(Unreachable):
            await Session.login(url, "ann", "a password")
        gateway.answers = [tokens(1)]
        assert await session() == "access 1"


async def test_nobody_there_means_try_later() -> None:
    with pytest.raises(Unreachable):
        await Session(f"http://127.0.0.1:{free_port()}", "refresh")()


@pytest.mark.parametrize("answer", [http(200, PORTAL), http(404, PORTAL), b"", http(503, {"detail": "x"})])
async def test_a_client_outlives_them_and_warns_once(answer: bytes, caplog: pytest.LogCaptureFixture) -> None:
    async with fake_server(answer) as gateway:
        url = f"http://127.0.0.1:{gateway.port}"
        client = TaskbeamClient(
            f"ws://127.0.0.1:{free_port()}/", Session(url, "refresh"), backoff=Backoff(0.01, 0.02)
        )
        async with client:
            waiting = client.create("Written offline")
            await until(lambda: len(gateway.requests) >= 5, 20, "it tries again and again")
            assert not waiting.done()
            warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
            assert len(warnings) == 1
            assert url in warnings[0]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (http(401, {"detail": "Token is blacklisted", "code": "token_not_valid"}), LoggedOut),
        (http(401, {"detail": "No active account found with the given credentials"}), LoggedOut),
        (http(400, {"refresh": ["This field may not be blank."]}), TaskbeamClientError),
    ],
)
async def test_what_a_gateway_says_is_final(answer: bytes, error: type[Exception]) -> None:
    async with fake_server(answer) as gateway:
        with pytest.raises(error) as raised:
            await Session(f"http://127.0.0.1:{gateway.port}", "refresh")()
        assert not isinstance(raised.value, OSError)


@pytest.mark.parametrize(
    "location", ["https://tasks.example.org/api/token-refresh/", "https://tasks.example.org/api"]
)
async def test_a_redirect_names_the_address_to_give(location: str) -> None:
    async with fake_server(http(308, Location=location)) as gateway:
        with pytest.raises(Unreachable, match=r"give its address, https://tasks.example.org/api$"):
            await Session(f"http://127.0.0.1:{gateway.port}/", "refresh")()


@pytest.mark.parametrize(
    "url", ["", "tasks.example.org", "ws://tasks.example.org/", "http://", "file:///etc"]
)
async def test_an_invalid_address_raises_an_error_at_once(url: str) -> None:
    with pytest.raises(ValueError, match="url: "):
        Session(url, "refresh")
    with pytest.raises(ValueError, match="url: "):
        await Session.login(url, "ann", "a password")


# A refresh whose answer is lost


async def test_a_lost_refresh_is_repeated_at_once_without_a_request() -> None:
    """With rotation, its successor can be had for a short time only."""
    async with fake_server(b"", http(502, PORTAL), tokens(2), tokens(3)) as gateway:
        session = Session(f"http://127.0.0.1:{gateway.port}", "refresh 1")
        with pytest.raises(Unreachable):
            await session()
        await until(lambda: len(gateway.requests) == 3, 20, "tried again")
        assert await session() == "access 2"
        assert await session() == "access 3"
        assert [request["refresh"] for request in gateway.requests] == ["refresh 1"] * 3 + ["refresh 2"]


async def test_a_lost_refresh_is_not_tried_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("taskbeam_client.session._RESCUE_SECONDS", 0.1)
    async with fake_server(b"") as gateway:
        session = Session(f"http://127.0.0.1:{gateway.port}", "refresh")
        with pytest.raises(Unreachable):
            await session()
        await until(lambda: all(task is asyncio.current_task() for task in own_tasks()), 20, "it gives up")
        assert len(gateway.requests) <= 2


async def test_a_lost_refresh_that_is_refused_fails_the_next_request() -> None:
    async with fake_server(b"", http(401, {"detail": "Token is blacklisted"})) as gateway:
        session = Session(f"http://127.0.0.1:{gateway.port}", "refresh")
        with pytest.raises(Unreachable):
            await session()
        await until(lambda: len(gateway.requests) == 2, 20, "tried again")
        with pytest.raises(LoggedOut, match="blacklisted"):
            await session()


async def test_a_refresh_whose_caller_was_cancelled_is_finished_and_kept() -> None:
    async with fake_server(tokens(1), tokens(2)) as gateway:
        gateway.pause.clear()
        session = Session(f"http://127.0.0.1:{gateway.port}", "refresh 0")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await session()
        await gateway.asked.wait()
        gateway.pause.set()
        assert await session() == "access 1"
        assert await session() == "access 2"
        assert [request["refresh"] for request in gateway.requests] == ["refresh 0", "refresh 1"]


async def test_a_refresh_that_fails_when_its_caller_has_gone_is_no_complaint() -> None:
    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    async with fake_server(http(401, {"detail": "Token is blacklisted"})) as gateway:
        gateway.pause.clear()
        session = Session(f"http://127.0.0.1:{gateway.port}", "refresh")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await session()
        await gateway.asked.wait()
        gateway.pause.set()
        await until(lambda: not any("Session" in repr(task) for task in asyncio.all_tasks()), 10, "it ends")
        del session
        gc.collect()
    assert complaints == []


async def test_calls_at_once_share_one_request() -> None:
    async with fake_server(tokens(1), tokens(2)) as gateway:
        session = Session(f"http://127.0.0.1:{gateway.port}", "refresh 0")
        assert list(await asyncio.gather(session(), session(), session())) == [
            "access 1",
            "access 1",
            "access 1",
        ]
        assert await session() == "access 2"


async def test_logging_out_ends_the_session_that_a_refresh_is_about_to_bring() -> None:
    async with fake_server(tokens(1), http(200, {})) as gateway:
        gateway.pause.clear()
        session = Session(f"http://127.0.0.1:{gateway.port}", "refresh 0")
        refreshing = asyncio.create_task(session())
        await gateway.asked.wait()
        leaving = asyncio.create_task(session.logout())
        await asyncio.sleep(0)
        gateway.pause.set()
        await asyncio.gather(refreshing, leaving)
        assert [request["refresh"] for request in gateway.requests] == ["refresh 0", "refresh 1"]


def own_tasks() -> list[asyncio.Task[object]]:
    return [task for task in asyncio.all_tasks() if "Session" in repr(task.get_coro())]


# A gateway that trickles, and TLS


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "taskbeam-client-rest"]


@pytest.mark.parametrize("head", [b"", OK, OK + b"Content-Length: 1000\r\n\r\n", OK + b"\r\n"])
async def test_a_trickling_answer_has_one_deadline_and_leaves_no_thread(head: bytes) -> None:
    async def trickle(writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.02)

    async with fake_server(trickle) as gateway:
        begin = time.monotonic()
        with pytest.raises(Unreachable, match="no whole answer within"):
            await post(f"http://127.0.0.1:{gateway.port}/token-refresh/", {}, ssl=None, timeout=0.3)
        assert time.monotonic() - begin < 5
        await until(lambda: not threads(), 10, "the thread ends with it")


async def test_a_session_over_tls(tmp_path: Path) -> None:
    certificate = make_certificate(tmp_path)
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(*certificate)
    trusting = ssl.create_default_context(cafile=str(certificate[0]))
    login = http(200, {"access": "access 0", "refresh": "refresh 0"})
    async with fake_server(login, tokens(1), tls=serving) as gateway:
        url = f"https://127.0.0.1:{gateway.port}"
        with pytest.raises(Unreachable, match="certificate verify failed"):
            await Session.login(url, "ann", "a password")
        session = await Session.login(url, "ann", "a password", ssl=trusting)
        assert [await session(), await session()] == ["access 0", "access 1"]
