"""The shapes of `drf_answers.json`, shared by the recorder and the replay.

Two marks stand for what a recording cannot fix: `"*"` is a value that differs from run to run (checked by the
form its key has, see `VARYING`), and a text that ends in `…` has any ending.
"""

import re
from collections.abc import Callable, Mapping
from typing import NotRequired, TypedDict

ANY = "*"
OPEN_END = "…"


class Request(TypedDict):
    method: str
    path: str
    headers: dict[str, str]
    body: str
    encoding: NotRequired[str]  # "base64" where the body is not UTF-8


class Answer(TypedDict):
    status: int
    headers: dict[str, str]
    body: object  # parsed JSON, or text where it is not JSON ("" for no body)


class Case(TypedDict):
    name: str
    setup: str  # "shared" data, or "fresh" data for a case that changes something
    request: Request
    response: NotRequired[Answer]
    contract: NotRequired[Answer]  # what our contract says instead, where it differs on purpose
    why: NotRequired[str]


def _matching(pattern: str) -> Callable[[object], bool]:
    compiled = re.compile(pattern)
    return lambda value: isinstance(value, str) and compiled.fullmatch(value) is not None


def _is_id(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


_TIME = _matching(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
_TOKEN = _matching(r"[\w-]+\.[\w-]+\.[\w-]+")

VARYING: Mapping[str, Callable[[object], bool]] = {
    "id": _is_id,
    "user_id": _is_id,
    "uuid": _matching(r"[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}"),
    "time_created": _TIME,
    "time_modified": _TIME,
    "access": _TOKEN,
    "refresh": _TOKEN,
}


def masked(body: object) -> object:
    """The body with values that differ between runs replaced by `*`, where they have the right form."""
    if isinstance(body, list):
        return [masked(item) for item in body]
    if isinstance(body, dict):
        return {
            key: ANY if key in VARYING and VARYING[key](value) else masked(value)
            for key, value in body.items()
        }
    return body


def with_open_parts(expected: object, got: object, key: str = "") -> object:
    """The expected body with its open parts taken from the answer, where the answer may choose them."""
    if isinstance(expected, dict) and isinstance(got, dict):
        return {name: with_open_parts(value, got.get(name), name) for name, value in expected.items()}
    if isinstance(expected, list) and isinstance(got, list) and len(expected) == len(got):
        return [with_open_parts(one, other) for one, other in zip(expected, got, strict=True)]
    if expected == ANY and key in VARYING:
        return got if VARYING[key](got) else expected
    if expected == OPEN_END:
        return got
    if isinstance(expected, str) and expected.endswith(OPEN_END) and isinstance(got, str):
        return got if got.startswith(expected.removesuffix(OPEN_END)) else expected
    return expected


def filled(text: str, values: Mapping[str, str]) -> str:
    """The text with `{placeholders}` replaced. Not `str.format`: the bodies are full of braces."""
    for name, value in values.items():
        text = text.replace("{" + name + "}", value)
    return text
