"""What a request's headers say: who asks, what the client takes, whether it waits before it sends a body."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from aiohttp import hdrs, web
from aiohttp.http import HttpVersion11

from rest_gateway.bodies import is_too_large
from rest_gateway.errors import HttpError, Refusal, json_response, refusal_response
from shared.request_ids import new_request_id

_WEIGHT: Final = re.compile(r"\bq=([01](?:\.[0-9]{0,3})?)", re.IGNORECASE)
_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


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


def prefers_html(request: web.Request) -> bool:
    """Whether a page is more welcome than JSON, by the weights (RFC 9110, section 12.5.1): so do browsers ask for an address."""
    accept = ",".join(request.headers.getall(hdrs.ACCEPT, ()))
    return _weight("text/html", accept) > _weight("application/json", accept)


@lru_cache(maxsize=256)
def _weight(media_type: str, accept: str) -> float:
    """Of the range that names the type most exactly; 0 where none does."""
    group = media_type.partition("/")[0]
    weights = {}
    for item in accept.split(","):
        media_range, _, parameters = item.partition(";")
        found = _WEIGHT.search(parameters)
        weights[media_range.strip().lower()] = float(found[1]) if found else 1.0
    ranges = (media_type, f"{group}/*", "*/*")
    return next((weights[each] for each in ranges if each in weights), 0.0)


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
