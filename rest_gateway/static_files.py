"""Files that are sent from memory under one entity tag, and the headers of the pages among them."""

from __future__ import annotations

import hashlib
from typing import Final

from aiohttp import hdrs, web

from rest_gateway.bodies import JSON

MEDIA_TYPES: Final = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}
_PIECE_BYTES: Final = 65_536  # this much of a file waits for one slow reader


def page_headers(*, connect: str = "'self'", images: str = "'self'") -> dict[str, str]:
    """For a page without code or style of its own, which loads none from other hosts.

    Args:
        connect: what its scripts may talk to.
        images: where its images may come from.
    """
    return {
        "Content-Security-Policy": (
            f"default-src 'none'; script-src 'self'; style-src 'self'; img-src {images}; connect-src {connect}; "
            "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        ),
        "Referrer-Policy": "no-referrer",
    }


class StaticFile:
    """Content under one entity tag, with further headers."""

    def __init__(self, content: bytes, media_type: str, headers: dict[str, str]) -> None:
        self.content = content
        self._media_type = media_type
        self._headers = headers
        self._tag = hashlib.sha256(content).hexdigest()[:32]

    async def send(self, request: web.Request) -> web.StreamResponse:
        """A proxy that compresses adds to the tag."""
        known = request.if_none_match or ()
        if any(tag.value == "*" or tag.value.startswith(self._tag) for tag in known):
            return self._with_headers(web.Response(status=304), request)
        response = self._with_headers(web.StreamResponse(), request)
        response.content_type = self._media_type
        response.charset = None if self._media_type == JSON else "utf-8"
        response.content_length = len(self.content)
        if request.method != hdrs.METH_HEAD:
            await response.prepare(request)
            for start in range(0, len(self.content), _PIECE_BYTES):
                await response.write(self.content[start : start + _PIECE_BYTES])
        return response

    def _with_headers(self, response: web.StreamResponse, request: web.Request) -> web.StreamResponse:
        response.headers.update(self._headers)
        response.etag = self._tag
        is_private = hdrs.AUTHORIZATION in request.headers
        response.headers[hdrs.CACHE_CONTROL] = "private, no-cache" if is_private else "no-cache"
        return response
