"""Which pages in browsers may read the answers (CORS, in the WHATWG's Fetch standard)."""

from __future__ import annotations

import re
from typing import Final

from aiohttp import hdrs, web
from multidict import CIMultiDict

from shared.origins import OriginPolicy

_HEADER_NAMES: Final = re.compile(r"[\w!#$%&'*+.^`|~, -]{1,4096}", re.ASCII)
_EXPOSED: Final = "ETag, Retry-After, X-Request-ID, X-Taskbeam-Seq, X-Taskbeam-Epoch"
_METHODS: Final = "GET, POST, PUT, PATCH, DELETE, HEAD, OPTIONS"
_PREFLIGHT_SECONDS: Final = "600"


def add_cors_headers(policy: OriginPolicy, request: web.BaseRequest, headers: CIMultiDict[str]) -> None:
    """Let a page read the answer, where the policy allows its origin."""
    if policy.any:
        headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = "*"
    else:
        headers[hdrs.VARY] = "Origin"
        origin = request.headers.get(hdrs.ORIGIN)
        if origin is None:
            return
        if not policy.allows(origin):
            if origin.partition("://")[2] != request.headers.get(hdrs.HOST):  # our own pages need no leave
                policy.log_refused(origin)
            return
        headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = origin
        headers[hdrs.ACCESS_CONTROL_ALLOW_CREDENTIALS] = "true"
    headers[hdrs.ACCESS_CONTROL_EXPOSE_HEADERS] = _EXPOSED


def is_preflight(request: web.Request) -> bool:
    """Whether a browser asks, before a page's request, if it may be sent."""
    return (
        request.method == hdrs.METH_OPTIONS
        and hdrs.ORIGIN in request.headers
        and hdrs.ACCESS_CONTROL_REQUEST_METHOD in request.headers
    )


def preflight_response(request: web.Request) -> web.Response:
    """The headers that are asked for are all allowed: none of them gives a page more than its token does."""
    headers = {
        hdrs.ACCESS_CONTROL_ALLOW_METHODS: _METHODS,
        hdrs.ACCESS_CONTROL_MAX_AGE: _PREFLIGHT_SECONDS,
    }
    asked = request.headers.get(hdrs.ACCESS_CONTROL_REQUEST_HEADERS)
    if asked and _HEADER_NAMES.fullmatch(asked):
        headers[hdrs.ACCESS_CONTROL_ALLOW_HEADERS] = asked
    return web.Response(status=204, headers=headers)
