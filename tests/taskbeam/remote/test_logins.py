"""The logins that are kept, when several commands use them at once."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from taskbeam.errors import CommandError, LoginOver
from taskbeam.remote.logins import Login, Logins

LOGIN = Login("http://a", "ws://a/ws/tasks/", "ann", 1, "access 1", "refresh 1")


def _exchange(login: Login) -> Login:
    """As a server that rotates: an old refresh token ends the session."""
    number = int(login.refresh.removeprefix("refresh ")) + 1
    return login._replace(access=f"access {number}", refresh=f"refresh {number}")


def test_a_token_that_was_refused_is_exchanged_once(tmp_path: Path) -> None:
    Logins(tmp_path).put(LOGIN)
    together = threading.Barrier(4)
    got: list[Login] = []

    def renew() -> None:
        together.wait()
        got.append(Logins(tmp_path).renewed(LOGIN, _exchange))

    threads = [threading.Thread(target=renew) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {login.refresh for login in got} == {"refresh 2"}
    assert Logins(tmp_path).get("http://a") == got[0]


def test_an_exchange_that_fails_leaves_the_login_as_it_is(tmp_path: Path) -> None:
    logins = Logins(tmp_path)
    logins.put(LOGIN)

    def fail(login: Login) -> Login:
        raise CommandError("away")

    with pytest.raises(CommandError, match="away"):
        logins.renewed(LOGIN, fail)
    assert logins.get("http://a") == LOGIN


def test_the_last_login_counts_where_no_server_is_named(tmp_path: Path) -> None:
    logins = Logins(tmp_path)
    other = LOGIN._replace(url="http://b")
    logins.put(LOGIN)
    logins.put(other)
    assert logins.get(None) == other
    assert logins.get("http://a") == LOGIN
    logins.remove("http://b")
    with pytest.raises(LoginOver, match="not logged in at http://b"):
        logins.get(None)


def test_a_command_does_not_go_on_as_another_user(tmp_path: Path) -> None:
    logins = Logins(tmp_path)
    logins.put(LOGIN._replace(username="bob", user_id=2))
    with pytest.raises(CommandError, match="Another user has logged in at http://a meanwhile: bob"):
        logins.renewed(LOGIN, _exchange)
