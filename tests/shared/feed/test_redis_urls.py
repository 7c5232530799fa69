"""The ways to a broker that a URL can name, and that no password of one is logged."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

import pytest

from shared.feed import fan_out
from shared.setting_values import parse_events_url
from tests.shared.feed.over_redis import owner_in, process, until_hints_arrive
from tests.support.certificates import make_certificate
from tests.support.valkey import ValkeyServer, valkey
from tests.support.waiting import until

PASSWORD: Final = "se/cret:word"
IN_URL: Final = "se%2Fcret%3Aword"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyServer]:
    """It asks for a password, and listens on a Unix socket, too."""
    socket = tmp_path_factory.mktemp("valkey") / "socket"
    with valkey(options=("--requirepass", PASSWORD, "--unixsocket", str(socket))) as running:
        yield running


@asynccontextmanager
async def _over_tls(server: ValkeyServer, folder: Path) -> AsyncIterator[str]:
    """Its URL behind a program that ends TLS, as many have in front of Redis."""
    certificate = make_certificate(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                writer.write(data)
        except OSError:
            pass
        finally:
            writer.close()

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", server.port)
        await asyncio.gather(pump(reader, back), pump(there, writer))

    async with await asyncio.start_server(connect, "127.0.0.1", 0, ssl=context) as running:
        port = running.sockets[0].getsockname()[1]
        yield f"rediss://:{IN_URL}@127.0.0.1:{port}?ssl_ca_certs={certificate.certificate}"


@pytest.mark.parametrize("way", ["password", "user", "number", "socket", "TLS"])
async def test_hints_go_over(
    way: str,
    server: ValkeyServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(fan_out, "SWEEP_SECONDS", 3600.0)
    caplog.set_level(logging.DEBUG)
    owner = await owner_in(tmp_path)
    async with AsyncExitStack() as stack:
        url = {
            "password": f"redis://:{IN_URL}@127.0.0.1:{server.port}",
            "user": f"redis://default:{IN_URL}@127.0.0.1:{server.port}/0",
            "number": f"redis://:{IN_URL}@127.0.0.1:{server.port}/7",
            "socket": f"unix://:{IN_URL}@{server.options[-1]}",
            "TLS": await stack.enter_async_context(_over_tls(server, tmp_path)),
        }[way]
        assert parse_events_url(url) == url
        one = await stack.enter_async_context(process(tmp_path, url))
        two = await stack.enter_async_context(process(tmp_path, url, owner.id))
        await until_hints_arrive(one, two, owner)
    assert "broker" not in caplog.text
    assert PASSWORD not in caplog.text
    assert IN_URL not in caplog.text


@pytest.mark.parametrize(
    "url",
    [
        "redis://:{secret}@127.0.0.1:{port}",
        "redis://nobody:{secret}@127.0.0.1:{port}/3",
        "redis://:{secret}@127.0.0.1:1",
        "redis://:{secret}@host.invalid",
        "rediss://:{secret}@127.0.0.1:{port}",
        "rediss://:{secret}@127.0.0.1:{port}?ssl_ca_certs=/nowhere",
        "unix://:{secret}@/nowhere",
    ],
)
async def test_a_broker_that_cannot_be_used_is_named_without_the_password(
    url: str, server: ValkeyServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    secret = "hunter-twice"
    url = parse_events_url(url.format(secret=secret, port=server.port))
    async with process(tmp_path, url):
        await until(lambda: "no message broker" in caplog.text, 10, "it says so")
    assert secret not in caplog.text
    assert "Traceback" not in caplog.text
