"""``docs/reference/rest_examples.md``: its shell blocks are run as a reader pastes them, and the HTTP block behind each is the answer."""

from __future__ import annotations

import json
import os
import re
import subprocess
from http import HTTPStatus
from typing import Any, Final, NamedTuple

from rest_gateway.errors import Refusal, error_response, refusal_bytes
from shared.errors import Unavailable
from tests.docs.examples import shown
from tests.docs.examples.servers import Servers
from tests.docs.tables import rest_errors
from tests.support.clients import new_account
from tests.support.database_edits import REVOCATIONS, edit_database
from tests.support.processes import ROOT, SECRET_KEY
from tests.support.tokens import GONE_USER, make_token

PAGE: Final = ROOT / "docs/reference/rest_examples.md"
_REQUEST: Final = re.compile(r"^```sh\n(.*?)^```\n", re.MULTILINE | re.DOTALL)
_ANSWER: Final = re.compile(r"^```http\n(.*?)^```\n", re.MULTILINE | re.DOTALL)
_HEADERS: Final = (
    *("allow", "content-type", "etag", "location", "retry-after", "www-authenticate"),
    *("x-taskbeam-seq", "x-taskbeam-epoch"),
)
_SEPARATOR: Final = "\x1e\n"
_SECONDS: Final = 60.0


class Part(NamedTuple):
    """Of the page: a heading's text, the bold words of an error, a request, or an answer. ``start``, ``end``: of its inner text."""

    kind: str
    text: str
    start: int
    end: int


def parts(page: str) -> list[Part]:
    """In the order of the page."""
    kinds = {
        "heading": re.compile(r"^###? (.*)$", re.MULTILINE),
        "case": re.compile(r"^\*\*(.*)\*\*$", re.MULTILINE),
        "request": _REQUEST,
        "answer": _ANSWER,
    }
    found = [
        Part(kind, each[1], *each.span(1)) for kind, form in kinds.items() for each in form.finditer(page)
    ]
    return sorted(found, key=lambda part: part.start)


def written(page: str, servers: Servers) -> str:
    """The page with the answers that the servers give to its requests."""
    all_parts = parts(page)
    requests = [part.text for part in all_parts if part.kind == "request"]
    outputs = iter(_run(servers, requests))
    show = shown.Shown(servers.epoch, page)
    text, done, output, case = "", 0, "", ""
    for part in all_parts:
        match part.kind:
            case "case":
                case, output = part.text, ""
            case "request":
                output = next(outputs)
            case "answer":
                answer = output or _of_the_code(case)
                text, done, output = f"{text}{page[done : part.start]}{_shown(show, answer)}\n", part.end, ""
    return text + page[done:]


def _run(servers: Servers, requests: list[str]) -> list[str]:
    """What each block prints. The first registers the user of all others, so that the page's user has the first id."""
    api = {
        "API": servers.system.rest_url,
        "STRICT": f"http://127.0.0.1:{servers.strict.port}",
    }
    first = _bash(requests[:2], api)
    return first + _bash(requests[2:], api | _others(servers))


def _others(servers: Servers) -> dict[str, str]:
    """The headers and tokens that a reader cannot make, by their names on the page."""
    bob, disabled = new_account(servers.system, "bob"), new_account(servers.system, "carl")
    edit_database(servers.system, disabled, REVOCATIONS["disabled"])
    return {
        "BOB": f"Authorization: Bearer {bob.access}",
        "DISABLED": disabled.access,
        "DISABLED_REFRESH": disabled.refresh,
        "DELETED": make_token(SECRET_KEY, GONE_USER),
        "EXPIRED": make_token(SECRET_KEY, bob.id, seconds=-60),
        "EXPIRED_REFRESH": make_token(SECRET_KEY, bob.id, "refresh", seconds=-60),
    }


def _bash(blocks: list[str], names: dict[str, str]) -> list[str]:
    """All in one shell, so that later ones have the variables of earlier ones."""
    script = f"\nprintf '%s' '{_SEPARATOR}'\n".join(blocks)
    done = subprocess.run(
        ["bash", "-u", "-c", script],
        env={**os.environ, **names, "NO_PROXY": "127.0.0.1"},
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    outputs = done.stdout.split(_SEPARATOR)
    assert len(outputs) == len(blocks), (outputs[-1], done.stderr)
    return outputs


def _of_the_code(case: str) -> str:
    """An answer that needs a broken disk, a defect or a crowd: as the gateway's code makes it."""
    if case == "the database does not answer":  # _readiness has it in its own lines
        return 'HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\n\r\n{"status":"unavailable"}'
    refusals = {"a defect": Refusal.DEFECT, "too many connections": Refusal.CROWDED}
    if case in refusals:
        return refusal_bytes(refusals[case], "5f0c1d8e9a7b4c32").decode()
    assert case == "the database is away or full", f"no request stands before the answer of {case!r}"
    response = error_response(Unavailable(""))
    head = [f"HTTP/1.1 {response.status} {HTTPStatus(response.status).phrase}"]
    head += [f"{name}: {value}" for name, value in response.headers.items()]
    assert isinstance(response.body, bytes)
    return "\r\n".join([*head, "", response.body.decode()])


def _shown(show: shown.Shown, answer: str) -> str:
    head, _, body = show.text(answer.replace("\r\n", "\n")).partition("\n\n")
    status, *lines = head.splitlines()
    headers = dict(line.split(": ", 1) for line in lines)
    is_json = headers.get("Content-Type", "").startswith("application/json")
    kept = [f"{name}: {value}" for name, value in headers.items() if name.lower() in _HEADERS]
    kept.sort(key=lambda header: header.partition(":")[0].lower())
    text = [shown.body(body, is_json=is_json)] if body else []
    return "\n".join([status, *kept, *(["", *text] if text else [])])


class Example(NamedTuple):
    """``heading``: the nearest; ``case``: the error's words in the table, empty for none."""

    heading: str
    case: str
    status: int
    body: Any


def examples(page: str) -> list[Example]:
    found: list[Example] = []
    heading = case = ""
    for part in parts(page):
        match part.kind:
            case "heading":
                heading, case = part.text, ""
            case "case":
                case = part.text
            case "answer":
                head, _, body = part.text.partition("\n\n")
                is_json = "application/json" in head and "…\n" not in body
                found.append(
                    Example(heading, case, int(head.split()[1]), json.loads(body) if is_json else None)
                )
    return found


def errors_of_the_table() -> list[tuple[str, int, Any]]:
    """What leads to each, its status and its body, in which a task is empty."""
    rows = [re.fullmatch(r"\| (\d+) \| (.*?) \| `(\{.*\})` \| .* \|", row) for row in rest_errors()[2:]]
    return [(row[2], int(row[1]), json.loads(row[3])) for row in rows if row]
