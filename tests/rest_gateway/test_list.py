"""The list over REST: pages as DRF's LimitOffsetPagination gives them, filters, headers."""

from __future__ import annotations

import socket
from urllib.parse import parse_qs, quote, urlsplit

import pytest

from tests.support.clients import Account, Rest, connected, new_account
from tests.support.frames import create
from tests.support.processes import System


@pytest.fixture(scope="module")
def owner(system: System) -> Account:
    """Has tasks 0 to 6; the odd ones are completed."""
    owner = new_account(system)
    for number in range(7):
        owner.rest("POST", "/", {"task": f"Task {number}", "completed": number % 2 == 1})
    return owner


def _numbers(tasks: list[dict[str, str]]) -> list[int]:
    return [int(task["task"].split()[1]) for task in tasks]


def _query(url: str) -> dict[str, list[str]]:
    return parse_qs(urlsplit(url).query)


def test_without_a_limit_it_is_a_plain_list(owner: Account) -> None:
    answer = owner.rest("GET", "/")
    assert _numbers(answer.body) == list(range(7))
    assert answer.headers["X-Taskbeam-Seq"] == "7"
    assert answer.headers["X-Taskbeam-Epoch"]
    assert _numbers(owner.rest("GET", "/?offset=5").body) == [5, 6]


def test_a_page_has_count_next_previous_and_results(system: System, owner: Account) -> None:
    page = owner.rest("GET", "/?limit=3&offset=2")
    assert list(page.body) == ["count", "next", "previous", "results"]
    assert page.body["count"] == 7
    assert _numbers(page.body["results"]) == [2, 3, 4]
    assert page.body["next"].startswith(f"{system.rest_url}/?")
    assert _query(page.body["next"]) == {"limit": ["3"], "offset": ["5"]}
    assert _query(page.body["previous"]) == {"limit": ["3"]}, "as DRF: offset 0 is left out"
    assert page.headers["X-Taskbeam-Seq"] == "7"


def test_the_links_lead_through_the_whole_list(system: System, owner: Account) -> None:
    forth, url = [], f"{system.rest_url}/?limit=3&ordering=-time_created"
    pages = []
    while url:
        body = owner.rest("GET", url.removeprefix(system.rest_url)).body
        pages.append(url)
        forth += _numbers(body["results"])
        last, url = body, body["next"]
    assert forth == [6, 5, 4, 3, 2, 1, 0]
    back = []
    while last["previous"]:
        last = owner.rest("GET", last["previous"].removeprefix(system.rest_url)).body
        back.append(_numbers(last["results"]))
    assert back == [[3, 2, 1], [6, 5, 4]]


def test_the_same_query_is_each_callers_own(system: System, owner: Account) -> None:
    """It is parsed once; what comes of it is not the same for all who ask."""
    other = new_account(system)
    other.rest("POST", "/", {"task": "Task 9"})
    query = "/?page=last&page_size=6"
    for account, numbers in ((owner, [6]), (other, [9]), (owner, [6])):
        assert _numbers(account.rest("GET", query).body["results"]) == numbers
    pages = owner.rest("GET", "/?limit=6").body, owner.rest("GET", "/?limit=6", Host="tasks.example").body
    assert [urlsplit(body["next"]).netloc for body in pages] == [
        urlsplit(system.rest_url).netloc,
        "tasks.example",
    ]
    assert [owner.rest("GET", "/?limit=x").status for _ in range(2)] == [400, 400]


def test_the_links_keep_the_other_parameters(owner: Account) -> None:
    page = owner.rest("GET", "/?limit=1&completed=true&search=task%20t&ordering=-task&other=%26x")
    assert (page.body["count"], page.body["next"]) == (3, page.body["next"])
    assert _query(page.body["next"]) == {
        "limit": ["1"],
        "offset": ["1"],
        "completed": ["true"],
        "search": ["task t"],
        "ordering": ["-task"],
        "other": ["&x"],
    }


@pytest.mark.parametrize(
    ("query", "numbers", "next", "previous"),
    [
        ("page=1&page_size=3", [0, 1, 2], {"page": ["2"], "page_size": ["3"]}, None),
        ("page_size=3", [0, 1, 2], {"page": ["2"], "page_size": ["3"]}, None),
        (
            "page=2&page_size=3",
            [3, 4, 5],
            {"page": ["3"], "page_size": ["3"]},
            {"page_size": ["3"]},  # as DRF: the first page is left out
        ),
        ("page=3&page_size=3", [6], None, {"page": ["2"], "page_size": ["3"]}),
        ("page=last&page_size=3", [6], None, {"page": ["2"], "page_size": ["3"]}),
        ("page=last&page_size=7", [0, 1, 2, 3, 4, 5, 6], None, None),
        ("page=1", [0, 1, 2, 3, 4, 5, 6], None, None),
        ("page=&page_size=1000", [0, 1, 2, 3, 4, 5, 6], None, None),
        (
            "page=2&page_size=2&ordering=-id&completed=false&search=task",
            [2, 0],
            None,
            {"page_size": ["2"], "ordering": ["-id"], "completed": ["false"], "search": ["task"]},
        ),
        (
            "page=9&page=1&page_size=1&page_size=2&completed=false&completed=true",
            [1, 3],
            {"page": ["2"], "page_size": ["2"], "completed": ["true"]},
            None,
        ),
    ],
)
def test_pages_may_be_asked_for_by_number(
    owner: Account,
    query: str,
    numbers: list[int],
    next: dict[str, list[str]] | None,
    previous: dict[str, list[str]] | None,
) -> None:
    page = owner.rest("GET", f"/?{query}")
    assert page.status == 200, page
    assert list(page.body) == ["count", "next", "previous", "results"]
    assert _numbers(page.body["results"]) == numbers
    for key, expected in (("next", next), ("previous", previous)):
        assert (page.body[key] and _query(page.body[key])) == expected
    assert page.headers["X-Taskbeam-Seq"] == "7"


@pytest.mark.parametrize("page", ["0", "-1", "x", "1.0", "8", "%00", "٣", "9" * 15, "9" * 30, "LAST"])
def test_a_page_that_is_not_there_is_not_found(owner: Account, page: str) -> None:
    answer = owner.rest("GET", f"/?page={quote(page, safe='%')}&page_size=1")
    assert (answer.status, answer.body) == (404, {"detail": "Invalid page."})


def test_the_first_page_of_nothing_is_there(account: Account) -> None:
    nothing: dict[str, object] = {"count": 0, "next": None, "previous": None, "results": []}
    for page in ("1", "last", ""):
        assert account.rest("GET", f"/?page={page}&page_size=5").body == nothing
    assert account.rest("GET", "/?page=2").status == 404


def test_the_links_have_the_parameters_that_counted(owner: Account) -> None:
    page = owner.rest("GET", "/?completed=false&completed=true&limit=3&limit=1&x=%FF&x=%26&y=%C3%A9+%2B")
    assert _numbers(page.body["results"]) == [1]
    query = {"limit": ["1"], "offset": ["1"], "completed": ["true"], "x": ["&"], "y": ["é +"]}
    assert _query(page.body["next"]) == query
    following = owner.rest("GET", page.body["next"][page.body["next"].index("/?") :]).body
    assert _numbers(following["results"]) == [3]


def test_a_request_of_http_1_0_without_a_host_gets_links_too(system: System, owner: Account) -> None:
    head = f"GET /?limit=1 HTTP/1.0\r\nAuthorization: Bearer {owner.access}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", system.gateway.port), timeout=10) as line:
        line.sendall(head.encode())
        answer = b"".join(iter(lambda: line.recv(65536), b""))
    assert f'"next":"{system.rest_url}/?limit=1&offset=1"'.encode() in answer


def test_the_ends_have_no_links(owner: Account) -> None:
    everything = owner.rest("GET", "/?limit=7").body
    assert (everything["next"], everything["previous"]) == (None, None)
    beyond = owner.rest("GET", "/?limit=3&offset=100").body
    assert (beyond["count"], beyond["results"], beyond["next"]) == (7, [], None)
    assert beyond["previous"] is not None


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ("completed=true", [1, 3, 5]),
        ("completed=false", [0, 2, 4, 6]),
        ("completed=1", [1, 3, 5]),
        ("search=TASK+3", [3]),
        ("search=nothing", []),
        ("search=3,task", [3]),
        ("search=%22task+3%22", [3]),
        ("search=%22ask+3%22,,%20'sk%205'", []),
        ("search=%223+task%22", []),
        ("search=3,,+,task,", [3]),
        ("ordering=-time_created", [6, 5, 4, 3, 2, 1, 0]),
        ("ordering=-completed,task", [1, 3, 5, 0, 2, 4, 6]),
        ("ordering=id", [0, 1, 2, 3, 4, 5, 6]),
        ("ordering=-id", [6, 5, 4, 3, 2, 1, 0]),
        ("ordering=completed,-id", [6, 4, 2, 0, 5, 3, 1]),
        ("ordering=-completed,id", [1, 3, 5, 0, 2, 4, 6]),
        ("ordering=-id,completed&offset=5", [1, 0]),
        ("ordering=,-id,+,", [6, 5, 4, 3, 2, 1, 0]),
        ("unknown=1", [0, 1, 2, 3, 4, 5, 6]),
        ("completed=&search=&ordering=&limit=&offset=&page=&page_size=", [0, 1, 2, 3, 4, 5, 6]),
        ("completed=%20&search=+&ordering=%09", [0, 1, 2, 3, 4, 5, 6]),
        ("completed=true&completed=false", [0, 2, 4, 6]),
        ("completed=maybe&completed=true", [1, 3, 5]),
        ("completed=true&completed=", [0, 1, 2, 3, 4, 5, 6]),
        ("ordering=nonsense&ordering=-id&search=3&search=4", [4]),
    ],
)
def test_filters_and_orders(owner: Account, query: str, numbers: list[int]) -> None:
    assert _numbers(owner.rest("GET", f"/?{query}").body) == numbers


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("limit", "0"),
        ("limit", "1001"),
        ("limit", "-1"),
        ("limit", "x"),
        ("limit", "1.5"),
        ("limit", "9" * 30),
        ("offset", "-1"),
        ("offset", "x"),
        ("offset", "9" * 30),
        ("completed", "maybe"),
        ("ordering", "nonsense"),
        ("ordering", "-"),
        ("ordering", ","),
        ("ordering", ",".join(["id"] * 20)),
        ("search", "%00"),
        ("search", "x" * 4001),
        ("search", "x," * 101),
        ("completed", "true&completed=maybe"),
        ("page_size", "0"),
        ("page_size", "1001"),
        ("page_size", "-1"),
        ("page_size", "x"),
        ("page_size", "9" * 30),
        ("page", "1&limit=1"),
        ("page", "1&offset=1"),
    ],
)
def test_a_bad_parameter_is_named(owner: Account, key: str, value: str) -> None:
    answer = owner.rest("GET", f"/?{key}={value}")
    assert (answer.status, list(answer.body)) == (400, [key])
    assert all(isinstance(message, str) and message for message in answer.body[key])


def test_every_list_is_its_users_own(system: System, owner: Account) -> None:
    stranger = new_account(system)
    assert stranger.rest("GET", "/").body == []
    assert stranger.rest("GET", "/?limit=5").body["count"] == 0
    assert stranger.rest("GET", "/?search=task").body == []
    assert Rest(system)("GET", "/").status == 401


async def test_list_shows_at_once_what_a_socket_wrote(system: System) -> None:
    """The gateway keeps lists that nobody has changed; the WebSocket server is another process."""
    account = new_account(system)

    def listed() -> list[str]:
        return [task["task"] for task in account.rest("GET", "/").body]

    async with connected(system, account.access, push=False) as client:
        assert listed() == []
        for number in range(20):
            frame = await create(client, f"Task {number}")
            assert listed() == [f"Task {number}"]
            change = {"mode": "update", "task_id": frame["task_id"], "data": {"task": "changed"}}
            await client.ask(change)
            assert listed() == ["changed"]
            await client.ask({"mode": "delete", "task_id": frame["task_id"]})
            assert listed() == []
