"""The errors that the document and the reference show are those that the gateway answers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from rest_gateway.openapi.common import SHARED
from rest_gateway.openapi.document import TOPICS
from tests.support.clients import PASSWORD, Account, new_account
from tests.support.database_edits import REVOCATIONS, edit_database
from tests.support.exact_http import send
from tests.support.processes import SECRET_KEY, System
from tests.support.tokens import GONE_USER, make_token

_MISSING: Final = "/task/00000000-0000-4000-8000-000000000000/"


class _Request(NamedTuple):
    """``access`` is the account's own token where it is ``None``; ``body``: bytes, or what becomes JSON."""

    method: str
    target: str
    body: Any = b""
    headers: Mapping[str, str] = {}
    access: str | None = None


_BAD_FIELDS: Final = {
    "a field is blank": {"task": " "},
    "a field is null": {"task": None},
    "a field is too long": {"task": "x" * 256},
    "a field is no text": {"task": []},
    "a field is no boolean": {"task": "x", "completed": "perhaps"},
    "a text has a null character": {"task": "a\0"},
}
_CREDENTIALS: Final = {"username": "ann", "password": PASSWORD}
_ELSEWHERE: Final = frozenset(
    {
        *(
            "half a body",
            "a Host that is no host and port",
            "more than `MAX_MESSAGE_BYTES`",
            "a defect",
            "too many connections",
        ),
        *("the database is away or full", "the database does not answer", "too many attempts"),
        *("more than `MAX_CONNECTIONS_PER_USER` long polls and streams", "`ALLOW_REGISTRATION` is `false`"),
        *("more than `MAX_TASKS_PER_USER`", "the operation would be one task too many"),
    }
)
"""Cases that other tests bring about, in gateways of their own: their texts are those of the errors that are raised."""


def _cases() -> dict[tuple[str, str], tuple[int, Any]]:
    """Status and body of each, by what leads to it and, since some have the same name, by its text."""
    answers = [(status, answer) for status, (_, answer) in SHARED.items()]
    for topic in TOPICS.values():
        for operation in topic.values():
            answers += operation.answers.items()
    return {
        (case, json.dumps(body)): (status, body)
        for status, answer in answers
        for case, body in answer.cases.items()
        if status >= 400 and case not in _ELSEWHERE
    }


def _requests(account: Account, disabled: Account) -> list[tuple[str, _Request]]:
    task = account.rest("POST", "/", {"task": "x"}).body["uuid"]
    stale = {"mode": "delete", "task_id": task, "rev": 7}
    create = {"mode": "create", "data": {"task": "y"}}
    expired = make_token(SECRET_KEY, account.id, seconds=-60)
    return [
        ("no token", _Request("GET", "/", access="")),
        ("`Bearer` alone, or more than a token behind it", _Request("GET", "/", access="Bearer a b")),
        (
            "the token is expired (or `Token is invalid`, `Token is blacklisted`, `Token has wrong type`)",
            _Request("GET", "/", access=f"Bearer {expired}"),
        ),
        (
            "the user was deleted",
            _Request("GET", "/", access=f"Bearer {make_token(SECRET_KEY, GONE_USER)}"),
        ),
        ("the user was disabled", _Request("GET", "/", access=f"Bearer {disabled.access}")),
        ("`Accept` without JSON", _Request("GET", "/", headers={"Accept": "text/plain"})),
        ("another media type", _Request("POST", "/", b"x", {"Content-Type": "text/plain"})),
        ("another coding", _Request("POST", "/", {"task": "x"}, {"Content-Encoding": "br"})),
        ("another `Expect`", _Request("POST", "/", {"task": "x"}, {"Expect": "more"})),
        (
            "the name is taken",
            _Request("POST", "/register/", {**_CREDENTIALS, "username": account.username}),
        ),
        (
            "the name has other characters",
            _Request("POST", "/register/", {**_CREDENTIALS, "username": "a b"}),
        ),
        (
            "the password is shorter than `PASSWORD_MIN_LENGTH`",
            _Request("POST", "/register/", {"username": "new", "password": "short"}),
        ),
        ("a field is left out", _Request("POST", "/login/", {"username": "ann"})),
        ("a field is left out", _Request("POST", "/logout/", {})),
        ("a field is left out", _Request("POST", "/token-verify/", {})),
        ("a field is left out", _Request("POST", "/", {})),
        *((case, _Request("POST", "/", body)) for case, body in _BAD_FIELDS.items()),
        ("JSON that cannot be parsed", _Request("POST", "/", b'{"task"}')),
        ("JSON that is no object", _Request("POST", "/", [])),
        ("wrong name or password, or a disabled account", _Request("POST", "/login/", _CREDENTIALS)),
        ("not a token of this server", _Request("POST", "/token-verify/", {"token": "a.b.c"})),
        (
            "expired",
            _Request(
                "POST",
                "/token-refresh/",
                {"refresh": make_token(SECRET_KEY, account.id, "refresh", seconds=-60)},
            ),
        ),
        (
            "an access token where a refresh token is asked for",
            _Request("POST", "/logout/", {"refresh": account.access}),
        ),
        (
            "its user was deleted or disabled",
            _Request("POST", "/token-refresh/", {"refresh": disabled.refresh}),
        ),
        (
            "the current password is wrong",
            _Request("PATCH", "/me/", {"current_password": "x", "password": PASSWORD}),
        ),
        ("a number is out of range", _Request("GET", "/?limit=0")),
        ("a number is out of range", _Request("GET", "/changes/?epoch=x&since=-1")),
        ("a filter is no boolean", _Request("GET", "/?completed=perhaps")),
        ("both kinds of pages", _Request("GET", "/?limit=1&page=1")),
        ("a parameter is left out", _Request("GET", "/changes/?since=0")),
        ("no such `page`", _Request("GET", "/?page=9")),
        ("no such task, or another user's", _Request("GET", _MISSING)),
        ("the id is no UUID", _Request("GET", "/task/1/")),
        (
            "`If-Match` or `If-None-Match` does not hold",
            _Request("DELETE", f"/task/{task}/", headers={"If-Match": '"7"'}),
        ),
        ("one is malformed", _Request("DELETE", f"/task/{task}/", headers={"If-Match": "7"})),
        (
            "an operation has a bad field",
            _Request("POST", "/batch/", {"ops": [{"mode": "create", "data": {}}]}),
        ),
        ("the request is malformed", _Request("POST", "/batch/", {"ops": []})),
        (
            "the operation is on no task of the user's",
            _Request("POST", "/batch/", {"ops": [create, {"mode": "delete", "task_id": _MISSING[6:-1]}]}),
        ),
        ("`rev` is not the current one", _Request("POST", "/batch/", {"ops": [create, stale]})),
        # At last: it ends the session.
        (
            "ended by a logout, or exchanged before",
            _Request("POST", "/logout/", {"refresh": account.refresh}),
        ),
        (
            "ended by a logout, or exchanged before",
            _Request("POST", "/logout/", {"refresh": account.refresh}),
        ),
    ]


def _answer(system: System, account: Account, request: _Request) -> tuple[int, Any]:
    """Status and body; of a task, what the examples have."""
    body = request.body if isinstance(request.body, bytes) else json.dumps(request.body).encode()
    headers = dict(request.headers)
    if body:
        headers.setdefault("Content-Type", "application/json")
    if request.access != "":
        headers["Authorization"] = request.access or f"Bearer {account.access}"
    reply = send(system.gateway.port, request.method, request.target, headers, body)
    return reply.status, json.loads(reply.body)


def _without_task(body: Any) -> Any:
    return (
        {**body, "task": "a task"} if isinstance(body, dict) and "uuid" in (body.get("task") or {}) else body
    )


def test_every_error_that_is_shown_is_answered(system: System, account: Account) -> None:
    disabled = new_account(system)
    edit_database(system, disabled, REVOCATIONS["disabled"])
    shown = [(case, status, _without_task(body)) for (case, _), (status, body) in _cases().items()]
    answered = [
        (case, status, _without_task(body))
        for case, request in _requests(account, disabled)
        for status, body in [_answer(system, account, request)]
    ]
    assert [each for each in shown if each not in answered] == []
    assert {case for case, *_ in answered} == {case for case, *_ in shown}
