"""An answer whose bytes are all there is sent as aiohttp sends its own."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest
from aiohttp import web

from rest_gateway import errors
from rest_gateway.whole_response import WholeResponse
from tests.rest_gateway.in_process import Gateway, gateway

REQUESTS = [
    ("GET / HTTP/1.1", ()),
    ("GET /?limit=50 HTTP/1.1", ()),
    ("HEAD / HTTP/1.1", ()),
    ("OPTIONS / HTTP/1.1", ()),
    ("PUT / HTTP/1.1", ()),
    ("GET /nowhere HTTP/1.1", ()),
    ("GET /task/16f894b8-cb89-4672-9561-0b80cc75ae1b/ HTTP/1.1", ()),
    ("GET /?limit=x HTTP/1.1", ()),
    ("GET / HTTP/1.1", ("Accept: text/html",)),
    ("GET / HTTP/1.1", ("Origin: http://localhost:5173",)),
    ("GET / HTTP/1.1", ("Origin: http://elsewhere.example",)),
    ("GET / HTTP/1.1", ("Connection: close",)),
    ("HEAD / HTTP/1.1", ("Connection: close",)),
    ("GET / HTTP/1.0", ()),
    ("GET / HTTP/1.0", ("Connection: keep-alive",)),
    ("GET /healthz HTTP/1.1", ()),
    ("GET / HTTP/1.1", ("Expect: 200-ok",)),
]
_ENDING = {"Connection: close", "Expect: 200-ok"}
_DATE = re.compile(rb"\r\nDate: [^\r]+")


async def _answer(of: Gateway, line: str, headers: tuple[str, ...]) -> bytes:
    """All that comes until the connection ends, without dates; where it would stay open, a second request ends it."""
    ours = ("Host: localhost", f"Authorization: Bearer {of.access}", "X-Request-ID: mine", *headers)
    probe = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Request-ID: last\r\nConnection: close\r\n\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", of.port)
    try:
        is_last = (line.endswith("1.0") and not headers) or bool(_ENDING & {*headers})
        writer.write(("\r\n".join((line, *ours)) + "\r\n\r\n" + ("" if is_last else probe)).encode())
        async with asyncio.timeout(10):
            answer = await reader.read()
    finally:
        writer.close()
        await writer.wait_closed()
    assert b"X-Request-ID: mine" in answer
    assert _DATE.search(answer)
    return _DATE.sub(b"", answer)


async def test_the_bytes_are_those_of_aiohttp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with gateway(tmp_path) as open_gateway:
        for line, headers in REQUESTS:
            with monkeypatch.context() as patched:
                patched.setattr(errors, "WholeResponse", web.Response)
                theirs = await _answer(open_gateway, line, headers)
            assert await _answer(open_gateway, line, headers) == theirs, (line, headers)


async def test_answers_are_whole_responses() -> None:
    assert type(errors.json_response({})) is WholeResponse
