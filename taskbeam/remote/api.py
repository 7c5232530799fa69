"""The REST API as one user, whose tokens are renewed as needed; and what its refusals mean."""

from __future__ import annotations

import time
from typing import Any, Final
from urllib.parse import urlencode

from taskbeam.errors import CommandError, LoginOver, ServerAway
from taskbeam.output import one_line
from taskbeam.remote.http import Answer, LostAnswer, send
from taskbeam.remote.logins import Login, Logins

Task = dict[str, Any]
"""As the server sends it."""

_REFRESH_TRIES: Final = 3  # a refresh token that was rotated out is taken for 30 seconds more


def log_in(url: str, socket: str, username: str, password: str) -> Login:
    """A new login. Raises CommandError."""
    answer = send(url, "POST", "/login/", {"username": username, "password": password})
    if answer.status == 401:
        raise CommandError(f"{url} knows no active user {one_line(username)!r} with this password.")
    if answer.status != 200:
        raise refusal(url, answer)
    access, refresh = answer.text("access"), answer.text("refresh")
    if access is None or refresh is None:
        raise not_understood(url)
    me = send(url, "GET", "/me/", token=access)
    if me.status != 200:
        raise refusal(url, me)
    match me.body:
        case {"username": str(name), "id": int(user_id)}:
            return Login(url, socket, name, user_id, access, refresh)
    raise not_understood(url)


def exchange(login: Login) -> Login:
    """The login with new tokens. Raises LoginOver, ServerAway."""
    for tries_left in reversed(range(_REFRESH_TRIES)):
        try:
            answer = send(login.url, "POST", "/token-refresh/", {"refresh": login.refresh})
            break
        except LostAnswer:
            if not tries_left:
                raise
            time.sleep(1)
    if answer.status == 401:
        raise login_over(login)
    if answer.status != 200:
        raise refusal(login.url, answer)
    access = answer.text("access")
    if access is None:
        raise not_understood(login.url)
    return login._replace(access=access, refresh=answer.text("refresh") or login.refresh)


def login_over(login: Login) -> LoginOver:
    """Says how to begin another."""
    return LoginOver(
        f"The login of {login.username} at {login.url} is over. "
        f"Log in again: taskbeam login {login.username} --url {login.url}"
    )


class Api:
    """Every method raises CommandError, whose text says what to do."""

    def __init__(self, url: str | None) -> None:
        self.logins = Logins()
        self.login = self.logins.get(url)

    @property
    def url(self) -> str:
        return self.login.url

    def tasks(self, **filters: str | int) -> tuple[list[Task], int]:
        """Those that the filters leave, and how many there are of them beyond ``limit``."""
        query = urlencode(filters, errors="surrogateescape")  # the bytes of an argument, UTF-8 or not
        body = self.request("GET", f"/?{query}" if filters else "/").body
        match body:
            case list():
                return [self._task(task) for task in body], len(body)
            case {"results": list(results), "count": int(count)}:
                return [self._task(task) for task in results], count
        raise not_understood(self.url)

    def create(self, fields: Task) -> Task:
        return self._task(self.request("POST", "/", fields).body)

    def update(self, uuid: str, fields: Task, rev: int | None = None) -> Task:
        """``rev``: only if that is the task's revision now."""
        return self._task(self.request("PATCH", f"/task/{uuid}/", fields, **_if_at(rev)).body)

    def delete(self, uuid: str, rev: int | None = None) -> None:
        self.request("DELETE", f"/task/{uuid}/", **_if_at(rev))

    def request(self, method: str, path: str, body: object = None, **headers: str) -> Answer:
        """The answer of a success."""
        answer = self.ask(method, path, body, **headers)
        if answer.status >= 300:
            raise refusal(self.url, answer)
        return answer

    def ask(self, method: str, path: str, body: object = None, **headers: str) -> Answer:
        """Whatever the server says to a token that is good."""
        answer = send(self.url, method, path, body, self.login.access, **headers)
        if answer.status == 401:
            self.login = self.logins.renewed(self.login, exchange)
            answer = send(self.url, method, path, body, self.login.access, **headers)
        return answer

    def _task(self, body: Any) -> Task:
        match body:
            case {
                "uuid": str(),
                "task": str(),
                "description": str(),
                "completed": bool(),
                "time_modified": str(),
                "time_created": str(),
            }:
                task: Task = body
                return task
        raise not_understood(self.url)


def not_understood(url: str) -> ServerAway:
    """Something answers that is no gateway of Taskbeam's."""
    return ServerAway(f"{url} answered, but not as a gateway of Taskbeam does: give its address with --url.")


def _if_at(rev: int | None) -> dict[str, str]:
    return {} if rev is None else {"If_Match": f'"{rev}"'}


def refusal(url: str, answer: Answer) -> CommandError:
    """What the server says, for a person to read."""
    detail = answer.text("detail")
    match answer.status, answer.body:
        case _, {"code": "conflict", "task": {"task": str(text), "rev": int(rev)}}:
            return CommandError(
                f"The task has been changed meanwhile: it is now {one_line(text)!r}, revision {rev}."
            )
        case _, {"code": "limit_reached", "limit": int(limit)}:
            return CommandError(f"There are {limit} tasks already, as many as the server keeps for a user.")
        case 400, dict(errors):
            return CommandError(field_errors(errors))
        case 401, _:
            return LoginOver(f"{url} does not accept the login ({detail}). Log in again: taskbeam login")
        case 404, _:
            return CommandError("There is no such task.")
        case 503, _:
            return ServerAway(f"{url} cannot answer now: {detail}")
    return CommandError(f"{url} answered {answer.status}" + (f": {detail}" if detail else "."))


def field_errors(body: dict[str, Any]) -> str:
    """``{"task": ["…"]}`` in a line."""
    parts = []
    for field, texts in body.items():
        said = " ".join(map(str, texts)) if isinstance(texts, list) else str(texts)
        parts.append(said if field in ("detail", "non_field_errors") else f"{field}: {said}")
    return one_line("; ".join(parts))
