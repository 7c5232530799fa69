"""Access tokens over REST, with nothing but the standard library.

Any async callable that returns a fresh access token serves the client as well; this is the usual one.

A server may rotate refresh tokens: then each refresh replaces the one that it was asked with, and the old one is taken
for ``REFRESH_GRACE_SECONDS`` (30) more. So a refresh whose answer was lost is urgent: without its successor in that
time the session is over. Such a refresh is tried again here until it succeeds, or the time is over.
"""

from __future__ import annotations

import asyncio
import math
import random
import ssl as tls
import time
from typing import Any, Final

from taskbeam_client.errors import LoggedOut, TaskbeamClientError, Unreachable
from taskbeam_client.rest import Answer, base_url, post

_REFRESH_SECONDS: Final = 5.0
_LOGIN_SECONDS: Final = 10.0  # checking a password takes a server some time, and others may wait before
_RESCUE_SECONDS: Final = 20.0  # of the 30 of the grace
_FRESH_SECONDS: Final = 10.0  # an access token that came after its caller had gone
_FIELDS: Final = frozenset({"username", "password", "refresh", "non_field_errors"})


class Session:
    """A login, and the usual token provider. It keeps the refresh token and not the password: when that token has
    expired, the session is over. A session is for one event loop.

    Args:
        url: the REST gateway's address, ``http://…`` or ``https://…``.
        refresh: a refresh token.
        access: an access token that was not used before, if there is one: it is the first that is returned.
        ssl: a context for a gateway whose certificate the system does not know.

    Raises:
        ValueError: ``url`` is no such address.
    """

    def __init__(
        self, url: str, refresh: str, access: str | None = None, *, ssl: tls.SSLContext | None = None
    ) -> None:
        self._url = base_url(url)
        self._ssl = ssl
        self._refresh = refresh
        self._refreshed = 0  # times
        self._unused = None if access is None else (access, math.inf)  # and until when it counts as fresh
        self._attempt: asyncio.Task[str] | None = None
        self._rescue: asyncio.Task[None] | None = None

    @classmethod
    async def login(
        cls, url: str, username: str, password: str, *, ssl: tls.SSLContext | None = None
    ) -> Session:
        """Log in: a new session of this user.

        Raises:
            LoggedOut: the credentials are wrong.
            Unreachable: no gateway answers there now, or something else does. Try later.
            TaskbeamClientError: the gateway says that the request is bad.
        """
        url = base_url(url)
        path = f"{url}/login/"
        answer = await post(
            path, {"username": username, "password": password}, ssl=ssl, timeout=_LOGIN_SECONDS
        )
        body = _require_success(path, answer, "refresh", "access")
        return cls(url, body["refresh"], body["access"], ssl=ssl)

    async def __call__(self) -> str:
        """A fresh access token. Concurrent calls share one request, which is finished though its caller was cancelled.

        Raises:
            LoggedOut: the gateway says that the session is over.
            Unreachable: no gateway answers there now, or something else does. Try later.
        """
        if self._unused is not None:
            (access, fresh_until), self._unused = self._unused, None
            if time.monotonic() < fresh_until:
                return access
        access = await self._refresh_once()
        self._unused = None
        return access

    async def logout(self) -> None:
        """End the session, and with it every connection that it opened.

        Raises:
            LoggedOut: the session was over already.
            Unreachable: no gateway answers there now, or something else does. Try later.
        """
        if self._rescue is not None:
            self._rescue.cancel()
        if self._attempt is not None:  # the refresh token that it brings is the one to end
            await asyncio.wait([self._attempt])
        path = f"{self._url}/logout/"
        answer = await post(path, {"refresh": self._refresh}, ssl=self._ssl, timeout=_LOGIN_SECONDS)
        _require_success(path, answer)

    async def _refresh_once(self) -> str:
        """The outcome of the request that is under way, or else of a new one."""
        if self._attempt is None or self._attempt.done():
            self._attempt = asyncio.create_task(self._refresh_now())
            self._attempt.add_done_callback(_retrieve_error)  # its callers may have gone
        return await asyncio.shield(self._attempt)

    async def _refresh_now(self) -> str:
        path = f"{self._url}/token-refresh/"
        try:
            answer = await post(path, {"refresh": self._refresh}, ssl=self._ssl, timeout=_REFRESH_SECONDS)
            tokens = _require_success(path, answer, "access")
        except Unreachable as error:
            if error.perhaps_done and (self._rescue is None or self._rescue.done()):
                self._rescue = asyncio.create_task(self._try_again(self._refreshed))
            raise
        refresh = tokens.get("refresh")
        if isinstance(refresh, str) and refresh:
            self._refresh = refresh
        access: str = tokens["access"]
        self._refreshed += 1
        self._unused = access, time.monotonic() + _FRESH_SECONDS
        return access

    async def _try_again(self, refreshed: int) -> None:
        """Until there are new tokens, whoever got them, or it is too late, or the session is over."""
        until = time.monotonic() + _RESCUE_SECONDS
        while time.monotonic() < until:
            await asyncio.sleep(random.uniform(0.5, 1.5))
            if self._refreshed > refreshed:
                return
            try:
                await self._refresh_once()
            except Unreachable:
                continue
            except TaskbeamClientError:  # whoever calls next is told
                return


def _retrieve_error(attempt: asyncio.Task[str]) -> None:
    """Its error counts as seen: whoever calls next is told the next one."""
    if not attempt.cancelled():
        attempt.exception()


def _require_success(path: str, answer: Answer, *keys: str) -> dict[str, Any]:
    """The body of a success, which has texts at these keys. Raises as ``Session`` does.

    Only what a gateway of Taskbeam's says is final. Anything else (a captive portal, a proxy whose gateway is being
    deployed, a page of somebody else's) says nothing about the session.
    """
    status, body, location = answer
    is_object = isinstance(body, dict)
    if status == 200 and is_object and all(isinstance(body.get(key), str) and body[key] for key in keys):
        return dict(body)
    detail = body.get("detail") if is_object else None
    if status == 401 and isinstance(detail, str):
        raise LoggedOut(detail)
    if status == 400 and is_object and _FIELDS & body.keys():
        raise TaskbeamClientError(f"{path} answered 400: {body}")
    if 300 <= status < 400 and location:
        there = location.removesuffix(path[path.rindex("/", 0, -1) :])
        raise Unreachable(
            f"{path} redirects to {location}: if that is the gateway, give its address, {there}",
            perhaps_done=False,
        )
    if status == 200:
        reason = f"{path} answered 200, but not as a gateway of Taskbeam does"
    else:
        reason = f"{path} answered {status}" + (f": {detail}" if isinstance(detail, str) else "")
    raise Unreachable(reason, perhaps_done=status == 200 or status >= 500)
