"""Random input for the gateway: heads, targets, and bodies in all codings and forms, supported or not."""

from __future__ import annotations

import gzip
import zlib
from random import Random
from typing import Final

from tests.fuzz.mutation import maybe_mutated

_METHODS: Final = (
    b"GET", b"GET", b"GET", b"POST", b"POST", b"PUT", b"PATCH", b"DELETE", b"HEAD", b"OPTIONS", b"CONNECT", b"TRACE", b"get",
)  # fmt: skip
_TASK: Final = b"/task/16f894b8-cb89-4672-9561-0b80cc75ae1b/"
_TARGETS: Final = (
    b"/", b"/", b"/login/", b"/register/", b"/token-refresh/", b"/token-verify/", b"/logout/", b"/me/", b"/batch/", _TASK,
    b"/task/nonsense/", b"/healthz", b"/readyz", b"/metrics", b"/changes/?epoch=e&since=0", b"/changes/?since=-1&wait=1",
    b"/events/?lastEventId=e:0", b"*", b"h:80", b"http://h/me/", b"http://h:99999/", b"//h/", b"/?limit=2&offset=1",
    b"/?page=1&page_size=2&search=%22a%20b%22,c", b"/?ordering=-id&completed=true", b"/?limit=%00&offset=%ff",
    b"/%2e%2e/%00", b"/task/%ff/", b"nopath", b"/?" + b"a=b&" * 200, b"/" + b"x" * 9000,
)  # fmt: skip
_HOSTS: Final = (
    b"x",
    b"x",
    b"x",
    b"127.0.0.1:8001",
    b"[::1]:80",
    b"a:99999",
    b"evil/x",
    b"",
    b"a b",
    b"[",
    b"\xff",
    b"a:b:c",
)
_HEADERS: Final = (
    b"Authorization: Bearer $TOKEN", b"Authorization: Bearer $TOKEN", b"Authorization: Bearer x", b"Authorization: Bearer",
    b"Authorization: Basic YTpi", b"Accept: text/html", b"Accept: */*;q=x", b"Accept: text/event-stream", b"Accept: ,",
    b"If-Match: \"1\"", b"If-Match:", b"If-Match: *", b"If-None-Match: W/\"1\"", b"If-None-Match: \"", b"Idempotency-Key: caf\xe9",
    b"Idempotency-Key: k", b"Origin: http://localhost:3000", b"Origin: null", b"Access-Control-Request-Method: PUT",
    b"X-Forwarded-For: 1.2.3.4, ::1", b"X-Forwarded-Host: evil/x", b"X-Request-ID: \xff", b"X-Request-ID: abc",
    b"Expect: 100-continue", b"Expect: nonsense", b"Connection: close", b"Connection: keep-alive", b"Connection: Upgrade",
    b"Upgrade: websocket", b"Upgrade: h2c", b"Last-Event-ID: e:1", b"Cookie: a=b; c", b"Range: bytes=0-", b"TE: trailers",
    b"Accept-Encoding: gzip", b"Content-Length: 3", b"Transfer-Encoding: chunked", b"A: b\r\n c", b"Content-Encoding: br",
)  # fmt: skip
_JSON: Final = (
    b'{"username": "ann", "password": "a good password"}', b'{"username": "$TOKEN", "password": ""}', b'{"task": "t"}',
    b'{"task": "t", "description": "d", "completed": "true", "uuid": "16f894b8-cb89-4672-9561-0b80cc75ae1b"}',
    b'{"completed": true}', b'{"refresh": "$TOKEN"}', b'{"token": "x.y.z"}', b'{"current_password": "x", "password": "yyyyyyyy"}',
    b'{"ops": [{"mode": "create", "data": {"task": "b"}}, {"mode": "delete", "task_id": "x"}]}', b"[]", b"null", b"{", b"",
    b'{"task": "\\ud800"}', b'{"task": NaN}', b"[" * 5000, b'{"task": "\xff"}', b'{"username": "' + b"\xcc\x81" * 3000 + b'"}',
    b"1" * 5000, b"\xef\xbb\xbf{}", b"\xff\xfe{\0}\0", b'{"task": "' + b"x" * 300_000 + b'"}',
)  # fmt: skip
_FORMS: Final = (
    b"username=ann&password=a+good+password", b"task=t&completed=on", b"task=%ff&task=%00", b"a" * 5000, b"&&=;=&", b"%",
    b"task=%u0041", b"=" * 2000, b"a=b&" * 3000,
)  # fmt: skip
_PARTS: Final = (
    b'Content-Disposition: form-data; name="username"\r\n\r\nann', b'Content-Disposition: form-data; name="_charset_"\r\n\r\nlatin-1',
    b'Content-Disposition: form-data; name="task"\r\nContent-Type: text/plain; charset=foo\r\n\r\nt',
    b'Content-Disposition: form-data; name="task"\r\nContent-Type: text/plain; charset=utf-16\r\n\r\nt',
    b'Content-Disposition: form-data; name="f"; filename="a.txt"\r\nContent-Type: application/octet-stream\r\n\r\n\0\1',
    b'Content-Disposition: form-data; name*=utf-8\'\'%ff\r\n\r\nx', b'Content-Disposition: attachment\r\n\r\nx', b"\r\n\r\nx",
    b'Content-Disposition: form-data; name="task"\r\nContent-Transfer-Encoding: base64\r\n\r\n!!!', b"no colon\r\n\r\nx",
    b'Content-Disposition: form-data; name="task"\r\nContent-Encoding: gzip\r\n\r\nx', b"A: " + b"b" * 9000 + b"\r\n\r\nx",
    b"A: b\r\n" * 200 + b"\r\nx", b'Content-Type: multipart/mixed; boundary="YY"\r\n\r\n--YY\r\n\r\nx\r\n--YY--',
    b'Content-Disposition: form-data; name="task"\r\nContent-Length: 99999\r\n\r\nx',
)  # fmt: skip
_TYPES: Final = (
    b"application/json", b"application/json; charset=utf-8", b"application/json; charset=nonsense", b"application/x-www-form-urlencoded",
    b"application/x-www-form-urlencoded; charset=iso-8859-1", b"multipart/form-data; boundary=XX", b"multipart/form-data; Boundary=XX",
    b"multipart/form-data", b'multipart/form-data; boundary="' + b"X" * 300 + b'"', b"text/plain", b"", b"/", b"\xff", b"application/json;;;",
    b"multipart/mixed; boundary=XX", b"application/json; charset=utf-16", b"application/x-www-form-urlencoded; charset=idna",
)  # fmt: skip
_BOMB: Final = gzip.compress(b'{"task": "' + b"a" * 20_000_000 + b'"}', mtime=0)


def conversation(random: Random) -> bytes:
    """The bytes that one client sends: one to three requests."""
    requests = [_request(random) for _ in range(random.choice((1, 1, 1, 2, 3)))]
    return maybe_mutated(0.2, random, b"".join(requests))


def _request(random: Random) -> bytes:
    method = random.choice(_METHODS)
    lines = [
        method + b" " + maybe_mutated(0.1, random, random.choice(_TARGETS)) + b" HTTP/1.1",
        b"Host: " + random.choice(_HOSTS),
        *random.sample(_HEADERS, random.randint(0, 5)),
    ]
    if method in (b"GET", b"HEAD", b"OPTIONS") and random.random() < 0.9:
        return b"\r\n".join([*lines, b"", b""])
    content_type, body = _content(random)
    lines.append(b"Content-Type: " + maybe_mutated(0.1, random, content_type))
    coding, body = _coded(maybe_mutated(0.3, random, body), random)
    if coding:
        lines.append(b"Content-Encoding: " + coding)
        body = maybe_mutated(0.3, random, body)
    if random.random() < 0.3:
        return b"\r\n".join([*lines, b"Transfer-Encoding: chunked", b"", b""]) + _chunked(body, random)
    length = len(body) if random.random() < 0.95 else random.choice((0, len(body) + 1, len(body) // 2))
    return b"\r\n".join([*lines, b"Content-Length: %d" % length, b"", b""]) + body


def _content(random: Random) -> tuple[bytes, bytes]:
    """A content type and a body, which mostly match."""
    kind = random.randrange(8)
    if kind < 4:
        body, usual = random.choice(_JSON), _TYPES[0]
    elif kind < 6:
        body, usual = random.choice(_FORMS), _TYPES[3]
    else:
        parts = [b"--XX\r\n" + random.choice(_PARTS) + b"\r\n" for _ in range(random.choice((1, 2, 3, 300)))]
        body, usual = b"".join(parts) + random.choice((b"--XX--\r\n", b"--XX--", b"", b"--XX")), _TYPES[5]
    return (usual if random.random() < 0.7 else random.choice(_TYPES)), body


def _coded(body: bytes, random: Random) -> tuple[bytes, bytes]:
    match random.randrange(12):
        case 0:
            return b"gzip", gzip.compress(body, mtime=0)
        case 1:
            return b"deflate", zlib.compress(body)
        case 2:
            return b"gzip", _BOMB
        case 3:
            return random.choice(
                (b"gzip", b"deflate", b"br", b"zstd", b"identity", b"gzip, gzip", b"x", b"GZIP")
            ), body
        case _:
            return b"", body


def _chunked(body: bytes, random: Random) -> bytes:
    size = random.choice((1, 7, 1000, 100_000)) if len(body) < 5000 else 10_000
    chunks = [body[start : start + size] for start in range(0, len(body), size)]
    framed = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)
    return maybe_mutated(
        0.2,
        random,
        framed + random.choice((b"0\r\n\r\n", b"0\r\nA: b\r\n\r\n", b"", b"-1\r\n\r\n", b"0;a=b\r\n\r\n")),
    )
