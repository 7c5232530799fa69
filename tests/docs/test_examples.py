"""The pages of examples show every endpoint, mode, frame, error and close code, and what the servers answer."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from rest_gateway.openapi.document import TOPICS
from tests.docs.examples import rest, websocket
from tests.docs.examples.servers import STRICT, WEBSOCKET, serving
from ws_server.asyncapi import OPERATIONS, PUSHED
from ws_server.asyncapi_examples import EXAMPLES
from ws_server.close_codes import CLOSE_CODES
from ws_server.frame_types import ERRORS
from ws_server.requests import _PARSERS

_REST = rest.PAGE.read_text()
_WEBSOCKET = websocket.PAGE.read_text()


@pytest.mark.timeout(180)
def test_every_answer_is_what_the_servers_answer(tmp_path: Path) -> None:
    with serving(tmp_path) as servers:
        answered = rest.written(_REST, servers), websocket.written(_WEBSOCKET, servers)
    command = "run: .venv/bin/python -m tests.docs.examples"
    assert answered[0].splitlines() == _REST.splitlines(), command
    assert answered[1].splitlines() == _WEBSOCKET.splitlines(), command


def test_every_endpoint_has_an_example() -> None:
    documented = [f"{method} {path}" for topic in TOPICS.values() for method, path in topic]
    answered = {example.heading.replace("&lt;uuid&gt;", "{task_id}") for example in rest.examples(_REST)}
    assert [operation for operation in documented if operation not in answered] == []
    headings = [
        part.text.replace("&lt;uuid&gt;", "{task_id}") for part in rest.parts(_REST) if "/" in part.text
    ]
    shown = [heading for heading in headings if re.match(r"[A-Z]+ /", heading)]
    assert sorted(shown) == sorted(documented)


def test_every_request_of_an_endpoint_is_one_to_it() -> None:
    """The heading does not stand over a request for something else."""
    heading = ""
    for part in rest.parts(_REST):
        if part.kind == "heading":
            heading = part.text
        elif part.kind == "request" and re.match(r"[A-Z]+ /", heading) and "curl -i" in part.text:
            method, path = heading.split(" ", 1)
            target = re.escape("$API" + path).replace(re.escape("&lt;uuid&gt;"), "[^/]+") + r"[ ?\n\"]"
            assert re.search(target, part.text), part.text
            if method not in ("GET", "POST"):
                assert f"-X {method} " in part.text, part.text


def _comparable(body: Any) -> str:
    """As in the table: a task is not written out; of limits the kind counts, since those of the page are low."""
    if isinstance(body, dict) and isinstance(body.get("task"), dict):
        body = {**body, "task": {}}
    if isinstance(body, dict) and "limit" in body and body.get("code") == "limit_reached":
        body = {**body, "limit": 0}
    return re.sub(r"more than \d+ tasks", "more than 0 tasks", json.dumps(body))


def test_every_error_of_the_rest_table_has_an_example() -> None:
    shown = {(each.case, each.status, _comparable(each.body)) for each in rest.examples(_REST)}
    wanted = [(case, status, _comparable(body)) for case, status, body in rest.errors_of_the_table()]
    assert len(wanted) > 50
    assert [each for each in wanted if each not in shown] == []


def test_the_rest_errors_stand_in_the_order_of_their_table() -> None:
    statuses = [example.status for example in rest.examples(_REST) if example.case]
    assert statuses == sorted(statuses)


def test_every_mode_has_an_example() -> None:
    assert websocket.seen(_WEBSOCKET).modes >= {*_PARSERS, "auth"}


def _kind(frame: dict[str, Any]) -> tuple[object, ...]:
    """What tells a frame from others: of an error its code alone."""
    if frame["type"] == "error":
        return (frame["code"],)
    return frame["type"], frame.get("mode"), frame.get("recovered")


def test_every_frame_has_an_example() -> None:
    sent = {type_ for answers in OPERATIONS.values() for type_ in answers} | set(PUSHED)
    assert set(ERRORS) <= sent
    shown = {_kind(frame) for frame in websocket.seen(_WEBSOCKET).frames}
    assert [each.__name__ for each in sent if _kind(EXAMPLES[each.__name__]) not in shown] == []


def test_every_close_code_has_an_example() -> None:
    assert websocket.seen(_WEBSOCKET).closes == {row.code.value for row in CLOSE_CODES}


def test_the_websocket_errors_and_closes_stand_in_the_order_of_their_tables() -> None:
    headings = re.findall(r"^### (\w+)$", _WEBSOCKET, re.MULTILINE)
    codes = [str(error.__struct_config__.tag) for error in ERRORS]
    assert [heading for heading in headings if heading in codes] == codes
    closes = [str(row.code.value) for row in CLOSE_CODES]
    assert [heading for heading in headings if heading.isdigit()] == closes


@pytest.mark.parametrize(
    ("page", "settings"), [(_REST, STRICT), (_WEBSOCKET, WEBSOCKET)], ids=["rest", "websocket"]
)
def test_the_page_names_the_settings_of_its_server(page: str, settings: dict[str, str]) -> None:
    named = Counter(re.findall(r"`([A-Z_]+=\w+)`", page))
    assert named == Counter(f"{name}={value}" for name, value in settings.items())


def test_no_block_of_a_page_is_left_out() -> None:
    """Each HTTP block is an answer, each text block has steps."""
    fences = Counter(re.findall(r"^```(\w+)$", _REST, re.MULTILINE))
    kinds = Counter(part.kind for part in rest.parts(_REST))
    assert fences == {"sh": kinds["request"], "http": kinds["answer"]}
    assert len(re.findall(r"^```text$", _WEBSOCKET, re.MULTILINE)) == len(websocket.blocks(_WEBSOCKET))
    assert set(re.findall(r"^```(\w*)$", _WEBSOCKET, re.MULTILINE)) == {"text", ""}
