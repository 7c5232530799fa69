"""The gateway answers like Django REST Framework, or like the contract where that differs on purpose."""

import asyncio
import base64
import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support.exact_http import Reply, send

from .placeholders import Gateway, fresh_placeholders
from .shapes import OPEN_END, Answer, Case, Request, filled, with_open_parts

CASES: list[Case] = json.loads(Path(__file__).with_name("drf_answers.json").read_text(encoding="utf-8"))

# Every text of the contract's error table that the original application could produce, with its status.
CONTRACT_TEXTS = [
    (400, "This field is required."),
    (400, "This field may not be blank."),
    (400, "This field may not be null."),
    (400, "Not a valid string."),
    (400, "Must be a valid boolean."),
    (400, "Ensure this field has no more than 255 characters."),
    (400, "Null characters are not allowed."),
    (400, "Invalid data. Expected a dictionary, but got list."),
    (400, "JSON parse error - "),
    (400, "A user with that username already exists."),
    (
        400,
        "Enter a valid username. This value may contain only letters, numbers, and @/./+/-/_ characters.",
    ),
    (400, "This password is too short. It must contain at least 8 characters."),
    (401, "No active account found with the given credentials"),
    (401, "Token is invalid"),
    (401, "Token is expired"),
    (401, "Token has wrong type"),
    (401, "Token is blacklisted"),
    (401, "No active account found for the given token."),
    (401, "Authentication credentials were not provided."),
    (401, "Authorization header must contain two space-delimited values"),
    (401, "Given token not valid for any token type"),
    (401, "User not found"),
    (401, "User is inactive"),
    (404, "No Task matches the given query."),
    (404, "Not found."),
    (405, 'Method "PUT" not allowed.'),
    (406, "Could not satisfy the request Accept header."),
    (415, 'Unsupported media type "text/plain" in request.'),
]


def _expected(case: Case) -> Answer:
    return case["contract"] if "contract" in case else case["response"]


def _sent(request: Request, values: Mapping[str, str], port: int) -> Reply:
    encoded = request.get("encoding") == "base64"
    body = base64.b64decode(request["body"]) if encoded else filled(request["body"], values).encode()
    headers = {name: filled(value, values) for name, value in request["headers"].items()}
    return send(port, request["method"], filled(request["path"], values), headers, body)


def _compared(method: str, answer: Answer, *, any_body: bool) -> Answer:
    """The part of the answer that clients may rely on: Django's `Allow` on every answer is not."""
    kept = {}
    media = answer["headers"].get("content-type")
    if media is not None and not any_body:
        kept["content-type"] = media.partition(";")[0].strip()
    if "www-authenticate" in answer["headers"]:
        kept["www-authenticate"] = answer["headers"]["www-authenticate"]
    if "allow" in answer["headers"] and (method == "OPTIONS" or answer["status"] == 405):
        kept["allow"] = answer["headers"]["allow"]
    return {"status": answer["status"], "headers": kept, "body": "" if any_body else answer["body"]}


def _read(reply: Reply) -> Answer:
    body: object = reply.body.decode()
    if body and reply.headers.get("content-type", "").startswith("application/json"):
        body = json.loads(reply.body)
    return {"status": reply.status, "headers": dict(reply.headers), "body": body}


_RECORDED_ON = (3, 11)


def _with_messages_of_this_python(wanted: Answer, request: Request) -> Answer:
    """DRF repeats the messages of Python's `json`, which are more precise in later versions."""
    if sys.version_info[:2] == _RECORDED_ON or not re.search(
        r"JSON parse error - .*\(char \d+\)", str(wanted["body"])
    ):
        return wanted
    with pytest.raises(json.JSONDecodeError) as refused:
        json.loads(request["body"])
    return {**wanted, "body": {"detail": f"JSON parse error - {refused.value}"}}


def _text(answer: Answer) -> str:
    """The answer as text, so that the order of keys counts, and `1`, `1.0` and `true` differ."""
    return json.dumps(answer, indent=1, ensure_ascii=False)


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
async def test_the_gateway_answers_as_recorded(
    case: Case, gateway: Gateway, placeholders: dict[str, str]
) -> None:
    values = placeholders
    if case["setup"] == "fresh":
        values = await asyncio.to_thread(fresh_placeholders, gateway, placeholders)
    reply = await asyncio.to_thread(_sent, case["request"], values, gateway.port)

    wanted: Answer = json.loads(filled(json.dumps(_expected(case)), values))
    got = _read(reply)
    any_body = wanted["body"] == OPEN_END
    wanted = _with_messages_of_this_python(wanted, case["request"])
    wanted["body"] = with_open_parts(wanted["body"], got["body"])
    method = case["request"]["method"]
    assert _text(_compared(method, got, any_body=any_body)) == _text(
        _compared(method, wanted, any_body=any_body)
    )


def test_the_table_covers_every_text_of_the_contract() -> None:
    answers = [
        (_expected(case)["status"], json.dumps(_expected(case)["body"], ensure_ascii=False)) for case in CASES
    ]
    missing = [
        (status, text)
        for status, text in CONTRACT_TEXTS
        if not any(seen == status and json.dumps(text)[1:-1] in body for seen, body in answers)
    ]
    assert missing == []


def test_every_deliberate_difference_has_a_reason() -> None:
    assert [case["name"] for case in CASES if ("contract" in case) != bool(case.get("why"))] == []
