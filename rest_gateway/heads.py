"""What the head of a request must be, beyond what the HTTP parser asks for."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from aiohttp import hdrs, web
from aiohttp.http import HttpVersion10, HttpVersion11, RawRequestMessage
from aiohttp.http_exceptions import BadStatusLine, HttpProcessingError
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from rest_gateway.errors import HttpError

# RFC 3986, section 3.2: a host and perhaps a port, no user.
_AUTHORITY: Final = re.compile(
    r"(?:\[[0-9A-Fa-f:.]{2,45}(?:%25[\w.~-]{1,32})?\]|[A-Za-z0-9._~!$&'()*+,;=%-]{1,255})(?::([0-9]{0,5}))?",
    re.ASCII,
)
_ESCAPES: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")


def is_ordinary(message: RawRequestMessage) -> bool:
    """Whether it is like nearly all: HTTP/1.1, a path for a target, and no tunnel or other protocol asked for."""
    return (
        message.version is HttpVersion11
        and message.path.startswith("/")
        and message.method != hdrs.METH_CONNECT
        and not message.upgrade
    )


def as_ordinary(message: RawRequestMessage) -> RawRequestMessage:
    """The head as the application can take it.

    A target in absolute form (RFC 9112, section 3.2.2) becomes one in origin form. A head that asks for another protocol
    than WebSocket becomes the last one of its connection: aiohttp 3.14 loses what is behind it.

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
