"""Frames that are no requests: binary, broken, too big; and the frames of the protocol below."""

from __future__ import annotations

import json

import pytest

from tests.support.clients import Account, connected
from tests.support.frames import create
from tests.support.processes import System
from tests.support.raw_websocket import CLOSE, CONTINUATION, PING, PONG, TEXT, client_frame, raw_socket

BEFORE_AUTH = 8192
AFTER_AUTH = 262144
MALFORMED = {
    "empty": "",
    "words": "hello",
    "unfinished": '{"mode": "all"',
    "two documents": '{"mode": "all"}{"mode": "all"}',
    "single quotes": "{'mode': 'all'}",
    "trailing comma": '{"mode": "all",}',
    "NaN": '{"mode": "create", "data": {"task": NaN}}',
    "Infinity": '{"mode": "all", "x": Infinity}',
    "-Infinity": "[-Infinity]",
    "lone surrogate": '{"mode": "create", "data": {"task": "\\ud800"}}',
    "lone surrogate in an unknown key": '{"mode": "ping", "\\udfff": 1}',
    "surrogates in the wrong order": '{"mode": "ping", "id": "\\udc00\\ud800"}',
    "raw control character": '{"mode": "ping", "id": "a\nb"}',
    "deep lists": "[" * 3000 + "]" * 3000,
    "deep objects": '{"a":' * 1200 + "1" + "}" * 1200,
}


@pytest.mark.parametrize("authenticated", [True, False], ids=["after auth", "before auth"])
@pytest.mark.parametrize("kind", MALFORMED)
async def test_malformed_json_is_answered_and_closed(
    system: System, account: Account, kind: str, authenticated: bool
) -> None:
    async with connected(system, account.access if authenticated else None) as socket:
        frame = await socket.ask(MALFORMED[kind])
        assert list(frame) == ["type", "message", "code", "error"]
        reason = frame.pop("error")
        assert isinstance(reason, str)
        assert reason
        assert frame == {"type": "error", "message": "Invalid JSON", "code": "invalid_json"}
        assert await socket.closed() == 4003


async def test_what_follows_malformed_json_is_not_carried_out(system: System, account: Account) -> None:
    async with connected(system, account.access) as socket:
        await socket.send("{")
        await socket.send({"mode": "create", "data": {"task": "x"}})
        assert await socket.closed() == 4003
    assert account.rest("GET", "/").body == []


async def test_every_character_but_nul_survives(system: System, account: Account) -> None:
    text = '\u200b"\\/\b\f\n\r\t\u2028é漢\U0001f600\ufffe}'
    async with connected(system, account.access) as socket:
        assert (await create(socket, f"a{text}z"))["task"]["task"] == f"a{text}z"
        escaped = json.dumps({"mode": "create", "data": {"task": f"a{text}z"}}, ensure_ascii=True)
        assert (await socket.ask(escaped))["task"]["task"] == f"a{text}z"


@pytest.mark.parametrize("authenticated", [True, False], ids=["after auth", "before auth"])
async def test_a_binary_frame_closes(system: System, account: Account, authenticated: bool) -> None:
    async with connected(system, account.access if authenticated else None) as socket:
        await socket.send(b'{"mode": "all"}')
        assert await socket.closed() == 1003


@pytest.mark.parametrize("authenticated", [True, False], ids=["after auth", "before auth"])
@pytest.mark.parametrize("data", [b"\xff\xfe", b'{"mode": "\xc3("}', b"\xed\xa0\x80", b"\xf8"], ids=repr)
def test_text_that_is_no_utf_8_closes(
    system: System, account: Account, data: bytes, authenticated: bool
) -> None:
    with raw_socket(system, account.access if authenticated else None) as raw:
        raw.send_frame(TEXT, data)
        assert raw.close_code() == 1007


def _ping_of(size: int) -> bytes:
    return b'{"mode": "ping", "x": "' + b"x" * (size - 25) + b'"}'


def test_before_auth_a_message_may_have_8_kib(system: System, account: Account) -> None:
    with raw_socket(system) as raw:
        message = json.dumps({"type": "auth", "token": account.access, "x": ""}).encode()
        raw.send_frame(TEXT, message[:-2] + b"x" * (BEFORE_AUTH - len(message)) + message[-2:])
        assert raw.receive_json()["type"] == "auth"
    with raw_socket(system) as raw:
        raw.send_frame(TEXT, b" " * (BEFORE_AUTH + 1))
        assert raw.close_code() == 1009


def test_behind_a_good_token_a_message_may_be_large_at_once(system: System, account: Account) -> None:
    """A client need not wait for the answer to its auth message."""
    text = json.dumps({"mode": "create", "data": {"task": "x", "description": "d" * 10_000}}).encode()
    auth = json.dumps({"type": "auth", "token": account.access}).encode()
    with raw_socket(system) as raw:
        raw.send(client_frame(TEXT, auth) + client_frame(TEXT, text) * 2)
        assert raw.receive_json()["type"] == "auth"
        assert [raw.receive_json()["mode"] for _ in range(2)] == ["create", "create"]


@pytest.mark.parametrize("final", [True, False], ids=["whole", "in fragments"])
def test_before_auth_no_more_is_kept_of_a_message_than_it_may_have(
    system: System, account: Account, final: bool
) -> None:
    beginning = client_frame(TEXT, b" " * 200_000)[: 2 * BEFORE_AUTH]
    if not final:
        opcodes = (TEXT, CONTINUATION)
        beginning = b"".join(client_frame(opcode, b" " * 6000, final=False) for opcode in opcodes)
    with raw_socket(system) as raw:
        raw.send(beginning)
        assert raw.close_code() == 1009


def test_after_auth_a_message_may_have_max_message_bytes(system: System, account: Account) -> None:
    with raw_socket(system, account.access) as raw:
        raw.send_frame(TEXT, _ping_of(AFTER_AUTH))
        assert raw.receive_json()["type"] == "pong"
        raw.send_frame(TEXT, _ping_of(AFTER_AUTH + 1))
        assert raw.close_code() == 1009


def test_the_size_of_a_fragmented_message_is_that_of_the_whole(system: System, account: Account) -> None:
    with raw_socket(system, account.access) as raw:
        raw.send_frame(TEXT, b" " * 200_000, final=False)
        raw.send_frame(CONTINUATION, b" " * 100_000, final=False)
        assert raw.close_code() == 1009


def test_a_fragmented_message_is_one_request(system: System, account: Account) -> None:
    message = json.dumps({"mode": "create", "data": {"task": "Übung 漢字"}}, ensure_ascii=False).encode()
    with raw_socket(system, account.access) as raw:
        raw.send_frame(TEXT, message[:1], final=False)
        for byte in message[1:-1]:  # cuts characters in the middle
            raw.send_frame(CONTINUATION, bytes([byte]), final=False)
        raw.send_frame(PING, b"between fragments")
        raw.send_frame(CONTINUATION, message[-1:])
        assert raw.receive_frame() == (PONG, b"between fragments")
        assert raw.receive_json()["task"]["task"] == "Übung 漢字"


def test_a_ping_is_answered_with_its_payload(system: System, account: Account) -> None:
    with raw_socket(system, account.access) as raw:
        for payload in (b"", b"x", bytes(range(125))):
            raw.send_frame(PING, payload)
            assert raw.receive_frame() == (PONG, payload)
        raw.send_frame(PONG, b"unasked for")
        raw.send_json({"mode": "ping"})
        assert raw.receive_json()["type"] == "pong"


def test_a_close_frame_is_answered(system: System, account: Account) -> None:
    with raw_socket(system, account.access) as raw:
        raw.send_frame(CLOSE, (1000).to_bytes(2, "big"))
        assert raw.close_code() == 1000


@pytest.mark.parametrize(
    "data",
    [
        bytes([0x81, 0x02]) + b"{}",  # not masked
        bytes([0xF1, 0x80]) + b"abcd",  # reserved bits
        bytes([0x83, 0x80]) + b"abcd",  # reserved opcode
        bytes([0x80, 0x80]) + b"abcd",  # a continuation of nothing
        bytes([0x09, 0x80]) + b"abcd",  # a fragmented ping
    ],
    ids=["unmasked", "reserved bits", "reserved opcode", "continuation of nothing", "fragmented ping"],
)
def test_a_violation_of_the_framing_closes(system: System, account: Account, data: bytes) -> None:
    with raw_socket(system, account.access) as raw:
        raw.send(data)
        assert raw.close_code() == 1002


def test_a_closed_connection_ends_at_once_however_much_its_client_had_sent(
    system: System, account: Account
) -> None:
    with raw_socket(system, account.access) as raw:
        raw.send_frame(TEXT, b"{")
        for _ in range(200):
            raw.send_frame(TEXT, b'{"mode":"ping"}')
        assert raw.close_code() == 4003
        raw.send_frame(CLOSE, (4003).to_bytes(2, "big"))
        raw.socket.settimeout(2)
        assert raw.socket.recv(1) == b""
