"""The AsyncAPI document says what the protocol does: its requests, frames, error codes and close codes."""

from __future__ import annotations

import json
from typing import Any

import pytest

import shared.errors
from tests.support.api_documents import AsyncApi, Undocumented
from tests.support.clients import Account, connected, new_account
from tests.support.frames import create
from tests.support.processes import System
from ws_server import requests
from ws_server.asyncapi import OPERATIONS, make_document
from ws_server.asyncapi_examples import EXAMPLES
from ws_server.close_codes import CLOSE_CODES
from ws_server.frame_types import ERRORS

DOCUMENT = make_document()
SCHEMAS = DOCUMENT["components"]["schemas"]
REQUESTS = [each.__name__ for each in OPERATIONS]


def _mode(name: str) -> str | None:
    mode = SCHEMAS[name]["properties"].get("mode")
    return mode["const"] if mode else None


def test_every_request_is_described_and_the_other_way_round() -> None:
    assert {_mode(name) for name in REQUESTS} == {*requests._PARSERS, None}
    assert {operation["title"] for operation in DOCUMENT["operations"].values()} == {*REQUESTS, "Push"}


@pytest.mark.parametrize("name", REQUESTS)
def test_the_example_of_a_request_is_parsed_as_it(name: str) -> None:
    parsed = requests.parse(json.dumps(EXAMPLES[name]))
    assert type(parsed).__name__ == name


@pytest.mark.parametrize("name", REQUESTS)
def test_what_a_request_must_have_it_must_have(name: str) -> None:
    for key in set(SCHEMAS[name]["required"]) - {
        "type",
        "mode",
        "token",
    }:  # a missing token has an answer of its own
        request = {given: value for given, value in EXAMPLES[name].items() if given != key}
        with pytest.raises(requests.BadRequest):
            requests.parse(json.dumps(request))


@pytest.mark.parametrize("name", REQUESTS)
def test_what_a_request_may_have_it_may_lack(name: str) -> None:
    needed = SCHEMAS[name]["required"]
    parsed = requests.parse(
        json.dumps({key: value for key, value in EXAMPLES[name].items() if key in needed})
    )
    assert type(parsed).__name__ == name


def test_every_example_is_one() -> None:
    assert EXAMPLES.keys() == DOCUMENT["components"]["messages"].keys()
    checker = AsyncApi(DOCUMENT)
    for name, example in EXAMPLES.items():
        checker._schemas.check(name, {"$ref": f"#/components/schemas/{name}"}, example)


def _codes(error: type[shared.errors.TaskbeamError]) -> set[str]:
    return {error.code}.union(*map(_codes, error.__subclasses__()))


def test_every_error_that_a_service_raises_has_a_frame() -> None:
    described = {_code(error.__name__) for error in ERRORS}
    # Registrations and logins are the gateway's; an account that is gone is told as a token that is not valid.
    elsewhere = {"error", "registration_closed", "no_active_account", "user_not_found", "user_inactive"}
    raised = {code for error in shared.errors.TaskbeamError.__subclasses__() for code in _codes(error)}
    assert raised - elsewhere <= described


def _code(name: str) -> str:
    code: str = SCHEMAS[name]["properties"]["code"]["const"]
    return code


def test_every_close_code_is_described() -> None:
    channel = DOCUMENT["channels"]["tasks"]
    assert list(channel["x-close-codes"]) == [str(row.code.value) for row in CLOSE_CODES]
    for row in CLOSE_CODES:
        assert f"| {row.code.value} | {row.meaning} |" in DOCUMENT["info"]["description"]


def test_every_reference_leads_somewhere() -> None:
    def check(part: Any) -> None:
        if isinstance(part, list):
            for item in part:
                check(item)
        elif isinstance(part, dict):
            if "$ref" in part:
                found = DOCUMENT
                for step in part["$ref"].removeprefix("#/").split("/"):
                    found = found[step]
            for value in part.values():
                check(value)

    check(DOCUMENT)


@pytest.mark.parametrize(
    "frame",
    [
        {"type": "news"},
        {"type": "pong"},
        {"type": "pong", "seq": "1"},
        {"type": "pong", "seq": 1, "more": 1},
        {"type": "error", "message": "x", "code": "no such code"},
        {"type": "task.update", "mode": "read"},
    ],
    ids=str,
)
def test_the_check_of_frames_finds_what_is_not_described(frame: dict[str, object]) -> None:
    with pytest.raises(Undocumented):
        AsyncApi(DOCUMENT).check(frame)


_REFUSED_BEFORE_AUTH: dict[str, str] = {
    "InvalidJson": "{mode",
    "NotAuthenticated": '{"mode": "all"}',
    "TokenMissing": '{"type": "auth"}',
    "TokenNotValid": '{"type": "auth", "token": "x"}',
}
_REFUSED: dict[str, dict[str, Any]] = {
    "InvalidRequest": {"mode": "read", "task_id": 5, "id": "a3"},
    "Invalid": {"mode": "create", "data": {}, "id": "a2"},
    "NotFound": EXAMPLES["Read"],
}


async def test_the_examples_of_errors_are_what_the_server_says(system: System, account: Account) -> None:
    for name, message in _REFUSED_BEFORE_AUTH.items():
        async with connected(system) as socket:
            assert await socket.ask(message) == EXAMPLES[name]
    other = new_account(system)
    async with connected(system, account.access) as socket:
        for name, request in _REFUSED.items():
            assert await socket.ask(request) == EXAMPLES[name]
        assert await socket.ask({"type": "auth", "token": other.access}) == EXAMPLES["UserMismatch"]
        made = await create(socket)
        request = {**EXAMPLES["Update"], "task_id": made["task_id"], "rev": 5}
        conflict = {**EXAMPLES["Conflict"], "task_id": made["task_id"], "task": made["task"]}
        assert await socket.ask(request) == conflict


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("LimitReached", shared.errors.LimitReached(10_000)),
        ("RateLimited", shared.errors.Throttled(0.125)),
        ("Unavailable", shared.errors.Unavailable("")),
    ],
)
def test_the_examples_of_other_errors_are_as_they_are_raised(
    name: str, error: shared.errors.TaskbeamError
) -> None:
    said = {"type": "error", "message": error.message, "code": error.code, **error.extra}
    assert said.items() <= EXAMPLES[name].items()
