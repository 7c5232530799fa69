"""What every answer has: a request id, CORS headers, and a JSON body for every error."""

from __future__ import annotations

import asyncio
import logging
import secrets
from time import monotonic
from typing import Final

from aiohttp import hdrs, web
from multidict import CIMultiDict, istr

from rest_gateway.cors import add_cors_headers, is_preflight, preflight_response
from rest_gateway.endpoint import Handler
from rest_gateway.errors import HttpError, error_response, json_response
from rest_gateway.heads import check_host
from rest_gateway.keys import REQUEST_ID
from rest_gateway.observers import CLIENT_GONE, Observer
from rest_gateway.whole_response import ADD_HEADERS, AddHeaders
from shared.errors import TaskbeamError, Unavailable
from shared.log_limits import LimitedLogger
from shared.origins import OriginPolicy
from shared.request_ids import choose_request_id

_X_REQUEST_ID: Final = istr("X-Request-ID")
_NOSNIFF: Final = istr("X-Content-Type-Options")

log = logging.getLogger(__name__)
_unavailable: Final = LimitedLogger(log)  # a stranger can fill the queue for the hashing pool


def request_id(request: web.BaseRequest) -> str:
    """The caller's, if it sent a good one; else one that no other request has."""
    try:
        return request[REQUEST_ID]
    except KeyError:
        request[REQUEST_ID] = made = choose_request_id(request.headers.get(_X_REQUEST_ID))
        return made


def answered(handler: Handler, observe: Observer) -> Handler:
    """A handler whose every error is an answer; a middleware of aiohttp's would cost each request three calls more.

    Args:
        observe: is told of each answer.
    """

    async def answer(request: web.Request) -> web.StreamResponse:
        started = monotonic()
        request[REQUEST_ID] = choose_request_id(request.headers.get(_X_REQUEST_ID))
        try:
            check_host(request)
            if is_preflight(request):
                response: web.StreamResponse = preflight_response(request)
            else:
                response = await handler(request)
        except HttpError as error:
            response = json_response(error.body, error.status, error.headers)
            if error.closes:
                response.force_close()
        except TaskbeamError as error:
            if isinstance(error, Unavailable):
                _unavailable.warning("unavailable: %s", error.reason)
            response = error_response(error)
        except web.HTTPException as error:
            observe(request, error.status, started)
            raise
        except ConnectionError:  # the client has gone, in the middle of its answer
            observe(request, CLIENT_GONE, started)
            return web.Response()
        except asyncio.CancelledError:  # it has gone before
            observe(request, CLIENT_GONE, started)
            raise
        except Exception:
            ref = secrets.token_hex(8)
            log.exception("a request failed", extra={"ref": ref, "request_id": request_id(request)})
            response = json_response({"detail": "Internal server error.", "ref": ref}, 500)
        observe(request, response.status, started)
        return response

    return answer


def common_headers(policy: OriginPolicy) -> AddHeaders:
    """What every answer has beside its own headers."""

    def add(request: web.BaseRequest, headers: CIMultiDict[str]) -> None:
        headers[_X_REQUEST_ID] = request_id(request)
        headers[_NOSNIFF] = "nosniff"
        if hdrs.CACHE_CONTROL not in headers:
            # A shared cache in front must show nobody another's tasks, and no answer of a gateway that is down.
            headers[hdrs.CACHE_CONTROL] = (
                "private, no-cache" if hdrs.AUTHORIZATION in request.headers else "no-store"
            )
        add_cors_headers(policy, request, headers)

    return add


async def add_common_headers(request: web.Request, response: web.StreamResponse) -> None:
    """For ``on_response_prepare``, which streams pass too."""
    response.headers.pop(hdrs.SERVER, None)  # aiohttp's, with its version
    request.app[ADD_HEADERS](request, response.headers)
