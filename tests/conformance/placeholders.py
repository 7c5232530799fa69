"""The data for the placeholders, created through the REST API of the gateway under test."""

import json
import secrets
import uuid
from collections.abc import Mapping
from dataclasses import dataclass

from tests.support.databases import execute
from tests.support.exact_http import send
from tests.support.tokens import special_tokens

PASSWORD = "correct horse"


@dataclass(frozen=True)
class Gateway:
    port: int
    key: str
    database_url: str


def _post(gateway: Gateway, path: str, body: Mapping[str, object], access: str = "") -> dict[str, str]:
    headers = {"Content-Type": "application/json"}
    if access:
        headers["Authorization"] = f"Bearer {access}"
    reply = send(gateway.port, "POST", path, headers, json.dumps(body).encode())
    assert reply.status in (200, 201), (path, reply)
    answer: dict[str, object] = json.loads(reply.body)
    return {name: str(value) for name, value in answer.items()}


@dataclass(frozen=True)
class _User:
    id: str
    name: str


def _register(gateway: Gateway, password: str = PASSWORD) -> _User:
    name = "u" + secrets.token_hex(6)
    answer = _post(gateway, "/register/", {"username": name, "password": password})
    return _User(answer["id"], name)


def _login(gateway: Gateway, user: _User) -> dict[str, str]:
    return _post(gateway, "/login/", {"username": user.name, "password": PASSWORD})


def _task(gateway: Gateway, session: Mapping[str, str], **fields: object) -> str:
    return _post(gateway, "/", fields, session["access"])["uuid"]


def _deactivate(gateway: Gateway, user: _User) -> None:
    """Disable a user in the database, as an administrator would: no endpoint does it."""
    execute(
        gateway.database_url, "UPDATE users SET is_active = false WHERE username_key = :name", name=user.name
    )


def shared_placeholders(gateway: Gateway) -> dict[str, str]:
    """Users that cases only read, and a first user for `fresh_placeholders`."""
    inactive = _register(gateway)
    _deactivate(gateway, inactive)
    spaced = _register(gateway, f"  {PASSWORD}  ")
    others = _login(gateway, _register(gateway))
    lonely = _login(gateway, _register(gateway))
    leaver = _register(gateway)
    ended = _login(gateway, leaver)
    _post(gateway, "/logout/", {"refresh": ended["refresh"]})
    return fresh_placeholders(
        gateway,
        {
            "password": PASSWORD,
            "inactive_id": inactive.id,
            "inactive_username": inactive.name,
            "spaced_username": spaced.name,
            "other_task": _task(gateway, others, task="Not yours"),
            "lonely_access": lonely["access"],
            "blacklisted_refresh": ended["refresh"],
            "revoked_access": ended["access"],
        },
    )


def fresh_placeholders(gateway: Gateway, shared: Mapping[str, str]) -> dict[str, str]:
    """The shared placeholders, with a new user who has two tasks, and new unused names."""
    user = _register(gateway)
    session = _login(gateway, user)
    first = _task(gateway, session, task="First task", description="Some words")
    second = _task(gateway, session, task="Second task", completed=True)
    return {
        **shared,
        **special_tokens(gateway.key, user.id, shared["inactive_id"]),
        "username": user.name,
        "USERNAME": user.name.upper(),
        "wide_username": "".join(chr(ord(letter) + 0xFEE0) for letter in user.name),
        "access": session["access"],
        "refresh": session["refresh"],
        "task": first,
        "TASK": first.upper(),
        "task_hex": first.replace("-", ""),
        "task2": second,
        "missing": str(uuid.uuid4()),
        "new": "n" + secrets.token_hex(6)[:11],
        "number": str(100_000_000 + secrets.randbelow(900_000_000)),
    }
