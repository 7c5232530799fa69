"""What a request's head must be, beyond what the HTTP parser asks for."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from aiohttp import hdrs, web
from aiohttp.http import HttpVersion10, HttpVersion11, RawRequestMessage
from aiohttp.http_exceptions import BadStatusLine, HttpProcessingError
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from rest_gateway.bodies import is_too_large
from rest_gateway.errors import HttpError, Refusal, json_response, refusal_response
from rest_gateway.request_ids import new_request_id

_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
# RFC 3986, section 3.2: a host and perhaps a port, no user.
_AUTHORITY: Final = re.compile(
    r"(?:\[[0-9A-Fa-f:.]{2,45}(?:%25[\w.~-]{1,32})?\]|[A-Za-z0-9._~!$&'()*+,;=%-]{1,255})(?::([0-9]{0,5}))?",
    re.ASCII,
)
_ESCAPES: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")


def is_ordinary(message: RawRequestMessage) -> bool:
    """Nearly all are: HTTP/1.1, a path for a target, and no tunnel or other protocol asked for."""
    return (
        message.version is HttpVersion11
        and message.path.startswith("/")
        and message.method != hdrs.METH_CONNECT
        and not message.upgrade
    )


def as_ordinary(message: RawRequestMessage) -> RawRequestMessage:
    """A head whose target is in absolute form (RFC 9112, section 3.2.2), as if it were in origin form; one that asks for
    another protocol than WebSocket, as the last one of its connection: aiohttp 3.14 loses what is behind it.

    Raises:
        HttpProcessingError: 405 for CONNECT; 400 for another version of HTTP, another scheme, or a host that is none.
    """
    if message.method == hdrs.METH_CONNECT:
        raise HttpProcessingError(code=405)
    if message.version not in (HttpVersion11, HttpVersion10):
        raise BadStatusLine
    if message.upgrade and message.headers.get(hdrs.UPGRADE, "").lower() != "websocket":
        message = message._replace(should_close=True)
    url = message.url
    if not url.absolute:
        return message
    if url.scheme not in ("http", "https") or not _is_authority(url.raw_authority):
        raise HttpProcessingError(code=400)
    headers = CIMultiDict(message.headers)
    headers[hdrs.HOST] = url.raw_authority  # the line itself is not looked at (RFC 9112, section 3.2.2)
    path, query = url.raw_path or "/", url.raw_query_string
    origin_form = URL.build(path=path, query_string=query, encoded=True)
    return message._replace(
        path=f"{path}?{query}" if query else path, url=origin_form, headers=CIMultiDictProxy(headers)
    )


def check_host(request: web.Request) -> None:
    """Raises HttpError 400 where ``Host`` is no host and port."""
    host = request.headers.get(hdrs.HOST)
    if host is not None and not _is_authority(host):
        raise HttpError(400, "The Host header is no host and port.")


@lru_cache(maxsize=256)
def _is_authority(host: str) -> bool:
    match = _AUTHORITY.fullmatch(host)
    return match is not None and int(match[1] or 0) <= 65535 and not _ESCAPES.search(host)


def bearer_token(request: web.Request) -> str:
    """The token in the Authorization header (RFC 6750). Raises HttpError 401."""
    lines = request.headers.getall(hdrs.AUTHORIZATION, ())
    scheme, *rest = (lines[0] if lines else "").split() or [""]
    if len(lines) < 2 and scheme.lower() != "bearer":
        raise HttpError(401, "Authentication credentials were not provided.")
    if len(lines) > 1 or len(rest) != 1:
        message = "Authorization header must contain two space-delimited values"
        raise HttpError(401, message, code="bad_authorization_header")
    return rest[0]


def require_json_accepted(request: web.Request) -> None:
    """Raises HttpError 406 when the client takes no JSON."""
    if not accepts(request, "application/json"):
        raise HttpError(406, "Could not satisfy the request Accept header.")


def accepts(request: web.Request, media_type: str) -> bool:
    """Whether the client takes it, as DRF decides: without a look at the weights."""
    lines = request.headers.getall(hdrs.ACCEPT, None)
    return lines is None or _is_among(media_type, ",".join(lines))


@lru_cache(maxsize=256)
def _is_among(media_type: str, accept: str) -> bool:
    ranges = [item.partition(";")[0].strip().lower() for item in accept.split(",")]
    group = media_type.partition("/")[0]
    return any(item in ("*/*", f"{group}/*", media_type) for item in ranges)


async def answer_expectation(request: web.Request) -> web.StreamResponse | None:
    """``Expect: 100-continue`` is met where the body will be read; another expectation is refused (417)."""
    expected = request.headers.get(hdrs.EXPECT, "")
    if request.version != HttpVersion11:
        return None
    if expected.strip().lower() != "100-continue":
        response = json_response({"detail": "Expect: only 100-continue can be met."}, 417)
        response.force_close()  # the client may be about to send the body, or not
        return response
    if is_too_large(request):
        return refusal_response(Refusal.TOO_LARGE, new_request_id())
    await request.writer.write(_CONTINUE)
    request.writer.output_size = 0  # the answer itself has not begun
    return None
