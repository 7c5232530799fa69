"""One URL and its methods, in the order of checks that DRF's views have: Accept, token, method, body."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from aiohttp import hdrs, web

from rest_gateway.bodies import PARSED
from rest_gateway.errors import HttpError, access_refused, json_response
from rest_gateway.keys import AUTHENTICATOR, FORWARDED, TOKEN
from rest_gateway.request_headers import bearer_token, require_json_accepted
from shared.errors import TokenRejected

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_ORDER: Final = (
    hdrs.METH_GET,
    hdrs.METH_POST,
    hdrs.METH_PUT,
    hdrs.METH_PATCH,
    hdrs.METH_DELETE,
    hdrs.METH_HEAD,
)


def any_media_type(request: web.Request) -> None:
    """For answers that are what they are, whatever the client says that it accepts."""


class Endpoint:
    """An aiohttp handler for all methods of a URL.

    Args:
        name: what OPTIONS calls it.
        handlers: by method; HEAD is answered as GET, and aiohttp leaves the body out.
        public: no access token is asked for.
        accepts: raises when the client does not take the media type of the answer.
    """

    def __init__(
        self,
        name: str,
        handlers: Mapping[str, Handler],
        *,
        public: bool = False,
        accepts: Callable[[web.Request], None] = require_json_accepted,
    ) -> None:
        self._name = name
        self._handlers = dict(handlers)
        if hdrs.METH_GET in handlers:
            self._handlers[hdrs.METH_HEAD] = handlers[hdrs.METH_GET]
        self.is_public = public
        self.accepts = accepts
        self._allow = ", ".join(
            [*(method for method in _ORDER if method in self._handlers), hdrs.METH_OPTIONS]
        )

    @property
    def methods(self) -> frozenset[str]:
        """Those that it has handlers for; HEAD goes with GET, and OPTIONS is answered everywhere."""
        return frozenset(self._handlers) - {hdrs.METH_HEAD}

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        if request.method == hdrs.METH_OPTIONS:
            body = {"name": self._name, "description": "", "renders": ["application/json"], "parses": PARSED}
            return json_response(body, headers={"Allow": self._allow})
        if hdrs.X_FORWARDED_FOR in request.headers:
            request.app[FORWARDED].warn_of_untrusted_proxy(request)
        self.accepts(request)
        try:
            if not self.is_public:
                request[TOKEN] = await request.app[AUTHENTICATOR].authenticate(bearer_token(request))
            handler = self._handlers.get(request.method)
            if handler is None:
                raise HttpError(405, f'Method "{request.method}" not allowed.', {"Allow": self._allow})
            response = await handler(request)
            if self.is_public:  # tokens and probes
                response.headers.setdefault(hdrs.CACHE_CONTROL, "no-store")
            return response
        except TokenRejected as error:  # by the handler, too, where the token was revoked a moment ago
            if self.is_public:
                raise
            return access_refused(error)
