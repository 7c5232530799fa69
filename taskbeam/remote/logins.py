"""The logins that are kept: tokens by server, never a password.

Several commands may run at once, and a refresh may replace the refresh token, after which the old one ends the session.
So tokens are exchanged under a lock on the file, and whoever waited for it takes what the other has got.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from taskbeam.errors import CommandError, LoginOver
from taskbeam.remote.addresses import DEFAULT_URL
from taskbeam.remote.private_files import configuration_folder, locked, read_json, write_json


class Login(NamedTuple):
    """A user at a server."""

    url: str
    socket: str
    username: str
    user_id: int
    access: str
    refresh: str


Exchange = Callable[[Login], Login]
"""Get new tokens."""


class Logins:
    """Raises CommandError where the files cannot be used."""

    def __init__(self, folder: Path | None = None) -> None:
        folder = folder or configuration_folder()
        self._path = folder / "logins.json"
        self._lock = folder / "logins.lock"

    def last_url(self) -> str:
        """The server of the last login; the default one before there was any."""
        return read_json(self._path).get("last") or DEFAULT_URL

    def get(self, url: str | None) -> Login:
        """The one at this server; with ``None`` the last that was begun.

        Raises:
            LoginOver: there is none.
        """
        url = url or self.last_url()
        try:
            return Login(**read_json(self._path)["logins"][url])
        except (KeyError, TypeError):
            option = "" if url == DEFAULT_URL else f" --url {url}"
            raise LoginOver(f"You are not logged in at {url}. Log in first: taskbeam login{option}") from None

    def last_socket(self, url: str) -> str | None:
        """That of the login that is kept of this server."""
        try:
            return self.get(url).socket
        except LoginOver:
            return None

    def put(self, login: Login) -> None:
        """Keep it, and use it from now on where no server is named."""
        with locked(self._lock):
            self._change(login.url, login, last=login.url)

    def remove(self, url: str) -> None:
        with locked(self._lock):
            self._change(url, None)

    def renewed(self, used: Login, exchange: Exchange) -> Login:
        """The login with another access token than the one that was ``used``."""
        with locked(self._lock):
            login = self.get(used.url)
            if login.user_id != used.user_id:
                raise CommandError(f"Another user has logged in at {used.url} meanwhile: {login.username}.")
            if login.access == used.access:
                login = exchange(login)
                self._change(login.url, login)
            return login

    def _change(self, url: str, login: Login | None, **other: str) -> None:
        data: dict[str, Any] = {**read_json(self._path), **other}
        logins = {**data.get("logins", {})}
        logins.pop(url, None)
        if login is not None:
            logins[url] = login._asdict()
        write_json(self._path, {**data, "logins": logins})
