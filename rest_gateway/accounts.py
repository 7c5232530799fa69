"""Register, log in, refresh, verify, log out, and the bearer's own account."""

from __future__ import annotations

from typing import Final

from aiohttp import web
from msgspec import UNSET

from rest_gateway.answers import Account, Empty, Me, Refreshed, Tokens
from rest_gateway.bodies import read_data
from rest_gateway.endpoint import Endpoint
from rest_gateway.errors import json_response, refresh_refused
from rest_gateway.keys import ACCOUNTS, AUTHENTICATOR, FORWARDED, SESSIONS, TOKEN
from shared.errors import TokenRejected
from shared.models import Bearer, User
from shared.rules.accounts import clean_credentials, clean_token


async def _register(request: web.Request) -> web.Response:
    data = await read_data(request)
    user = await request.app[ACCOUNTS].register(data, _address(request))
    return json_response(Account(user.id, user.username), 201)


async def _login(request: web.Request) -> web.Response:
    username, password = clean_credentials(await read_data(request))
    pair = await request.app[SESSIONS].login(username, password, _address(request))
    assert pair.refresh is not None  # a login always brings one
    return json_response(Tokens(pair.refresh, pair.access))


async def _refresh(request: web.Request) -> web.Response:
    token = clean_token(await read_data(request), "refresh")
    try:
        pair = await request.app[SESSIONS].refresh(token)
    except TokenRejected as error:
        return refresh_refused(error)
    return json_response(Refreshed(pair.access, pair.refresh or UNSET))


async def _verify(request: web.Request) -> web.Response:
    token = clean_token(await read_data(request), "token")
    try:
        await request.app[SESSIONS].verify(token)
    except TokenRejected as error:
        return refresh_refused(error)
    return json_response(Empty())


async def _log_out(request: web.Request) -> web.Response:
    token = clean_token(await read_data(request), "refresh")
    try:
        await request.app[SESSIONS].logout(token)
    except TokenRejected as error:
        return refresh_refused(error)
    return json_response(Empty())


def _me(user: User) -> web.Response:
    return json_response(Me(user.id, user.username, user.date_joined))


async def _bearer(request: web.Request) -> Bearer:
    """The bearer, whose account is as it is now. Raises TokenRejected."""
    token = request[TOKEN]
    return Bearer((await request.app[AUTHENTICATOR].identify(token)).user, token.sid, _address(request))


def _address(request: web.Request) -> str:
    return request.app[FORWARDED].subscriber(request)


async def _show(request: web.Request) -> web.Response:
    return _me((await _bearer(request)).user)


async def _change_password(request: web.Request) -> web.Response:
    data = await read_data(request)
    bearer = await _bearer(request)
    await request.app[ACCOUNTS].change_password(bearer, data)
    return _me(bearer.user)


async def _delete(request: web.Request) -> web.Response:
    data = await read_data(request)
    await request.app[ACCOUNTS].delete_account(await _bearer(request), data)
    return web.Response(status=204)


ENDPOINTS: Final = {
    "/register": Endpoint("Register", {"POST": _register}, public=True),
    "/login": Endpoint("Token Obtain Pair", {"POST": _login}, public=True),
    "/token-refresh": Endpoint("Token Refresh", {"POST": _refresh}, public=True),
    "/token-verify": Endpoint("Token Verify", {"POST": _verify}, public=True),
    "/logout": Endpoint("Log Out", {"POST": _log_out}, public=True),
    "/me": Endpoint("Me", {"GET": _show, "PATCH": _change_password, "DELETE": _delete}),
}
