"""If-Match and If-None-Match: on writes they fail closed, however they are spelled and whoever stands between."""

from __future__ import annotations

import http.client
import json
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rest_gateway.conditions import parse_tags
from tests.support.clients import Account
from tests.support.frames import missing_id
from tests.support.processes import System

WRITES = [("PUT", {"task": "new"}), ("PATCH", {"task": "new"}), ("DELETE", None)]


def _created(account: Account) -> tuple[str, dict[str, Any]]:
    """A task whose revision is 3."""
    path = f"/task/{account.rest('POST', '/', {'task': 'x'}).body['uuid']}/"
    account.rest("PATCH", path, {})
    return path, account.rest("PATCH", path, {}).body


def _ask(
    system: System,
    account: Account,
    method: str,
    path: str,
    headers: list[tuple[str, str]],
    body: object = None,
) -> tuple[int, Any]:
    """As it stands: lines of one name as several, empty ones, and bytes that are no ASCII (ISO 8859-1)."""
    connection = http.client.HTTPConnection("127.0.0.1", system.gateway.port, timeout=10)
    content = b"" if body is None else json.dumps(body).encode()
    connection.putrequest(method, path)
    fixed = [("Content-Type", "application/json"), ("Content-Length", str(len(content)))]
    for name, value in [("Authorization", f"Bearer {account.access}"), *fixed, *headers]:
        connection.putheader(name, value.encode("latin-1"))
    connection.endheaders(content)
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    return answer.status, json.loads(text) if text else None


HOLDS_OF_3 = [
    ['"3"'],
    ['W/"3"'],
    ['"3-gzip"'],
    ['"3;gzip"'],
    ['"3--gzip"'],
    ['"3-br"'],
    ['W/"3-GZIP"'],
    ['"3-zstd"'],
    ['"1", "3"'],
    ['"1" ,, "3" ,'],
    ['"1"', '"3"'],
    ['"é"', '"3"', ""],
    ['"a,b","3"'],
    ["*"],
    [" * "],
]
FAILS_OF_3 = [
    ['"2"'],
    ['"33"'],
    ['"03"'],
    ['"3-"'],
    ['"3-gzip-gzip"'],
    ['"3-monday"'],
    ['"-3"'],
    ['"1", "2"'],
    ['"1"', '"2"'],
    ['"*"'],
    ['W/"*"'],
    ['""'],
    ['"' + "3" * 400 + '"'],
    ['"\xff"'],
]
MALFORMED = [
    [""],
    [" "],
    [","],
    ["", ""],
    ["3"],
    ["'3'"],
    ['"3'],
    ['3"'],
    ['"3" "2"'],
    ['"2"; "3"'],
    ['w/"3"'],
    ['W/ "3"'],
    ["W/3"],
    ['*, "3"'],
    ["*", '"3"'],
    ["**"],
    ['"3" x'],
    ['"3", nonsense'],
    ['"a b"'],
    ['"3\t"'],
]


@pytest.mark.parametrize("lines", HOLDS_OF_3 + FAILS_OF_3 + MALFORMED, ids=str)
@pytest.mark.parametrize("name", ["If-Match", "If-None-Match"])
def test_a_write_needs_a_condition_that_holds(
    system: System, account: Account, name: str, lines: list[str]
) -> None:
    lets_through = lines in (HOLDS_OF_3 if name == "If-Match" else FAILS_OF_3)
    path, task = _created(account)
    headers = [(name, line) for line in lines]
    for method, body in WRITES:
        status, answer = _ask(system, account, method, path, headers, body)
        if lets_through:
            assert status == (204 if method == "DELETE" else 200), answer
            path, task = _created(account)
        else:
            assert (status, answer["code"], answer["task"]) == (412, "conflict", task)
            assert name in answer["detail"]
    assert account.rest("GET", path).body == task
    missing = f"/task/{missing_id()}/"
    assert _ask(system, account, "DELETE", missing, headers)[0] == 404


@pytest.mark.parametrize("lines", HOLDS_OF_3, ids=str)
def test_a_get_is_spared_its_body(system: System, account: Account, lines: list[str]) -> None:
    path, _ = _created(account)
    assert _ask(system, account, "GET", path, [("If-None-Match", line) for line in lines]) == (304, None)


@pytest.mark.parametrize("lines", FAILS_OF_3 + MALFORMED, ids=str)
def test_a_get_that_asks_for_something_else_is_answered(
    system: System, account: Account, lines: list[str]
) -> None:
    path, task = _created(account)
    assert _ask(system, account, "GET", path, [("If-None-Match", line) for line in lines]) == (200, task)


def test_both_conditions_must_hold(system: System, account: Account) -> None:
    path, _ = _created(account)
    for match, none_match in (('"2"', '"9"'), ('"3"', '"3"'), ("*", "*"), ('"3"', "")):
        headers = [("If-Match", match), ("If-None-Match", none_match)]
        assert _ask(system, account, "PATCH", path, headers, {})[0] == 412
    headers = [("If-Match", '"3"'), ("If-None-Match", '"9"')]
    assert _ask(system, account, "PATCH", path, headers, {})[0] == 200


def test_the_tag_can_be_made_from_the_body(account: Account) -> None:
    path, task = _created(account)
    assert account.rest("PATCH", path, {}, If_Match=f'"{task["rev"]}"').status == 200


def test_of_writers_with_one_tag_one_wins_and_a_star_is_for_all(account: Account) -> None:
    path, _ = _created(account)
    for tag, won in (('"3"', 1), ("*", 8), ('W/"12-gzip"', 1)):
        statuses: list[int] = []

        def write(tag: str = tag, statuses: list[int] = statuses) -> None:
            statuses.append(account.rest("PATCH", path, {"task": "mine"}, If_Match=tag).status)

        threads = [threading.Thread(target=write) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(statuses) == [200] * won + [412] * (8 - won)


_ITEMS = st.lists(
    st.sampled_from(['"', ",", " ", "3", "W/", "*", "-gzip", "\t", "é", "\udcff", ";", "x"]), max_size=12
)


@given(st.lists(_ITEMS.map("".join), min_size=1, max_size=3))
def test_a_list_is_what_the_grammar_says(lines: list[str]) -> None:
    tags = parse_tags(lines)
    elements = _elements(",".join(lines))
    if ",".join(lines).strip(" \t") == "*":
        assert tags is not None
        assert tags.is_any
    elif elements and all(_is_entity_tag(element) for element in elements):
        assert tags is not None
        assert not tags.is_any
        assert tags.revisions <= {"3", "33", "333"} | {"3" * n for n in range(4, 13)}
    else:
        assert tags is None


def _elements(text: str) -> list[str]:
    """What stands between commas that are not between quotes, without the empty ones."""
    elements, is_quoted = [""], False
    for character in text:
        is_quoted ^= character == '"'
        if character == "," and not is_quoted:
            elements.append("")
        else:
            elements[-1] += character
    return [element.strip(" \t") for element in elements if element.strip(" \t")]


def _is_entity_tag(element: str) -> bool:
    opaque = element.removeprefix("W/")
    inner = opaque[1:-1]
    return len(opaque) > 1 and opaque[0] == opaque[-1] == '"' and not set(inner) & {'"', " ", "\t"}
