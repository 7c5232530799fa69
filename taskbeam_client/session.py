"""Access tokens over REST, with nothing but the standard library.

Any async callable that returns a fresh access token serves the client as well; this is the usual one.
"""

from __future__ import annotations

import asyncio
import json
import urllib.error
import urllib.request
from typing import Any

from taskbeam_client.errors import LoggedOut, TaskbeamClientError

_TIMEOUT = 10.0


class Session:
    """A login. Keeps the refresh token and not the password: when that one is over, so is the session.

    ``await session()`` is a fresh access token. Raises LoggedOut; OSError while the server is away.
    """

    def __init__(self, url: str, refresh: str, access: str | None = None) -> None:
        self._url = url.rstrip("/")
        self._refresh = refresh
        self._unused = access

    @classmethod
    async def login(cls, url: str, username: str, password: str) -> Session:
        """Args: ``url`` is the REST gateway's. Raises LoggedOut where the credentials are wrong."""
        url = url.rstrip("/")
        tokens = await _post(f"{url}/login/", {"username": username, "password": password})
        return cls(url, tokens["refresh"], tokens["access"])

    async def __call__(self) -> str:
        if self._unused is not None:
            access, self._unused = self._unused, None
            return access
        tokens = await _post(f"{self._url}/token-refresh/", {"refresh": self._refresh})
        self._refresh = tokens.get("refresh", self._refresh)  # a server may rotate them
        fresh: str = tokens["access"]
        return fresh

    async def logout(self) -> None:
        """End the session, and with it every connection that it opened."""
        await _post(f"{self._url}/logout/", {"refresh": self._refresh})


async def _post(url: str, body: dict[str, str]) -> dict[str, Any]:
    return await asyncio.to_thread(_post_now, url, body)


def _post_now(url: str, body: dict[str, str]) -> dict[str, Any]:
    request = urllib.request.Request(
        url, json.dumps(body).encode(), {"Content-Type": "application/json", "Accept": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT) as response:
            answer: dict[str, Any] = json.load(response)
            return answer
    except urllib.error.HTTPError as error:  # an OSError; 429 and 5xx stay one: the client tries again later
        if error.code == 401:
            raise LoggedOut(_detail(error)) from None
        if error.code != 429 and error.code < 500:
            raise TaskbeamClientError(f"{url} answered {error.code}: {_detail(error)}") from None
        raise


def _detail(error: urllib.error.HTTPError) -> str:
    text = error.read().decode(errors="replace")
    try:
        return str(json.loads(text)["detail"])
    except (ValueError, KeyError, TypeError):
        return text[:200]
