"""Bodies: compressed, too large, in pieces."""

from __future__ import annotations

import gzip
import json
import zlib

import pytest

from tests.support.clients import Account
from tests.support.exact_http import Reply, send
from tests.support.processes import System
from tests.support.raw_http import ask, exchange, parsed

BODY = json.dumps({"task": "Packed"}).encode()
MAX_BYTES = 262144


def _gzip(body: bytes) -> bytes:
    return gzip.compress(body, mtime=0)  # or the names of the tests would tell the time


def _post(
    system: System, account: Account, body: bytes, coding: str, media: str = "application/json"
) -> Reply:
    headers = {"Authorization": f"Bearer {account.access}", "Content-Type": media, "Content-Encoding": coding}
    return send(system.gateway.port, "POST", "/", headers, body)


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", _gzip(BODY)),
        ("GZIP", _gzip(BODY)),
        ("x-gzip", _gzip(BODY)),
        ("gzip", _gzip(BODY[:5]) + _gzip(BODY[5:])),
        ("deflate", zlib.compress(BODY)),
        ("deflate", zlib.compress(BODY, wbits=-15)),
        ("identity", BODY),
        (" , gzip", _gzip(BODY)),
        ("", BODY),
    ],
)
def test_a_body_may_be_compressed(system: System, account: Account, coding: str, body: bytes) -> None:
    reply = _post(system, account, body, coding)
    assert (reply.status, json.loads(reply.body)["task"]) == (201, "Packed")


def test_a_form_may_be_compressed_too(system: System, account: Account) -> None:
    reply = _post(system, account, _gzip(b"task=Packed"), "gzip", "application/x-www-form-urlencoded")
    assert (reply.status, json.loads(reply.body)["task"]) == (201, "Packed")


@pytest.mark.parametrize("coding", ["br", "zstd", "compress", "gzip, gzip", "deflate, gzip", "no token!"])
def test_another_coding_is_not_supported(system: System, account: Account, coding: str) -> None:
    reply = _post(system, account, BODY, coding)
    assert (reply.status, list(json.loads(reply.body))) == (415, ["detail"])
    assert reply.headers["accept-encoding"] == "gzip, deflate"


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", BODY),
        ("gzip", b"\x1f"),
        ("gzip", _gzip(BODY)[:-1]),
        ("gzip", _gzip(BODY)[:15]),
        ("gzip", _gzip(BODY) + b"garbage"),
        ("gzip", _gzip(BODY)[:-8] + b"\0" * 8),
        ("gzip", zlib.compress(BODY)),
        ("gzip", _gzip(b"") * 1000 + _gzip(BODY)),
        ("deflate", BODY),
        ("deflate", _gzip(BODY)),
        ("deflate", zlib.compress(BODY)[:-1]),
        ("deflate", zlib.compress(BODY) + zlib.compress(BODY)),
        ("deflate", b"\xff" * 100),
    ],
)
def test_a_corrupt_one_is_malformed(system: System, account: Account, coding: str, body: bytes) -> None:
    reply = _post(system, account, body, coding)
    assert (reply.status, list(json.loads(reply.body))) == (400, ["detail"])
    assert "Content-Encoding" in json.loads(reply.body)["detail"]


@pytest.mark.parametrize("size", [MAX_BYTES + 1, 50_000_000])
def test_what_unpacks_to_too_much_is_too_large(system: System, account: Account, size: int) -> None:
    packed = _gzip(b'{"task": "x", "y": "' + b"y" * size + b'"}')
    assert _post(system, account, packed, "gzip").status == 413


def _head(account: Account, *lines: str) -> bytes:
    return "\r\n".join(
        [
            "POST / HTTP/1.1",
            "Host: x",
            f"Authorization: Bearer {account.access}",
            "Content-Type: application/json",
            *lines,
            "",
            "",
        ]
    ).encode()


@pytest.mark.parametrize("is_chunked", [False, True])
def test_a_connection_announced_to_close_is_closed(
    system: System, account: Account, is_chunked: bool
) -> None:
    body = b'{"task": "' + b"a" * MAX_BYTES + b'"}'
    after = _head(account, "Content-Length: 15") + b'{"task": "Too"}'
    if is_chunked:
        request = _head(account, "Transfer-Encoding: chunked") + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    else:
        request = _head(account, f"Content-Length: {len(body)}") + body
    received = exchange(system.gateway.port, request + after)
    answer = parsed(received, "POST")
    assert (answer.status, answer.headers["connection"], answer.rest) == (413, "close", b"")
    assert account.rest("GET", "/").body == []


def test_a_body_that_is_announced_too_large_is_not_waited_for(system: System, account: Account) -> None:
    answer = ask(system.gateway.port, _head(account, f"Content-Length: {MAX_BYTES + 1}"), method="POST")
    assert answer.status == 413
    expecting = _head(account, f"Content-Length: {MAX_BYTES + 1}", "Expect: 100-continue")
    assert ask(system.gateway.port, expecting, method="POST").status == 413


def test_an_unknown_media_type_that_is_not_text_is_refused_in_json(system: System, account: Account) -> None:
    request = _head(account, "Content-Length: 2", "Connection: close").replace(b"/json", b"/\xe9") + b"{}"
    answer = ask(system.gateway.port, request, method="POST")
    assert (answer.status, list(answer.json)) == (415, ["detail"])


@pytest.mark.parametrize("charset", ["punycode", "idna", "unicode_escape", "nonsense" * 50, ""])
def test_a_charset_that_is_none_is_taken_for_utf_8(system: System, account: Account, charset: str) -> None:
    reply = _post(system, account, BODY, "", f"application/json; charset={charset}")
    assert (reply.status, json.loads(reply.body)["task"]) == (201, "Packed")


def test_a_body_in_a_hundred_thousand_chunks_does_not_block_other_requests(
    system: System, account: Account
) -> None:
    body = b'{"task": "' + b" " * 100_000 + b'x"}'
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in body)
    request = _head(account, "Transfer-Encoding: chunked", "Connection: close") + chunks + b"0\r\n\r\n"
    answer = ask(system.gateway.port, request, method="POST")
    assert (answer.status, answer.json["task"]) == (201, "x")
