"""``fetch()`` from a page of another origin: every REST call that a frontend makes."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from selenium.webdriver import Chrome

from tests.browser.page import served_page
from tests.browser.tabs import Tab
from tests.support.clients import PASSWORD, Account
from tests.support.processes import System, running

_FETCH = """
const [url, method, body, headers] = arguments;
return fetch(url, {method, headers, body: body === null ? undefined : JSON.stringify(body)}).then(
    async (response) => {
        const text = await response.text();
        const exposed = {};
        for (const name of ['ETag', 'Retry-After', 'X-Request-ID', 'X-Taskbeam-Seq', 'X-Taskbeam-Epoch'])
            if (response.headers.get(name) !== null) exposed[name] = response.headers.get(name);
        return {status: response.status, body: text ? JSON.parse(text) : null, headers: exposed};
    },
    (error) => ({status: 0, body: String(error), headers: {}}),
);
"""


class Fetched(NamedTuple):
    """``status`` is 0 where the browser did not let the page have the answer."""

    status: int
    body: Any
    headers: dict[str, str]


class Page:
    """Fetches from inside the browser."""

    def __init__(self, tab: Tab, rest_url: str) -> None:
        self.tab = tab
        self.url = rest_url
        self.token: str | None = None

    def fetch(self, method: str, path: str, body: object = None, **more: str) -> Fetched:
        headers = {name.replace("_", "-"): value for name, value in more.items()}
        if body is not None:
            headers["Content-Type"] = "application/json"
        if self.token is not None:
            headers["Authorization"] = f"Bearer {self.token}"
        answer = self.tab.run(_FETCH, self.url + path, method, body, headers)
        return Fetched(answer["status"], answer["body"], answer["headers"])


@pytest.fixture
def page(system: System, browser: Chrome, origin: str) -> Iterator[Page]:
    tab = Tab(browser, f"{origin}/blank")
    yield Page(tab, system.rest_url.replace("127.0.0.1", "localhost"))
    tab.close()


def test_a_page_can_make_every_rest_call(page: Page) -> None:
    credentials = {"username": f"page-{secrets.token_hex(6)}", "password": PASSWORD}
    registered = page.fetch("POST", "/register/", credentials)
    assert (registered.status, registered.body["username"]) == (201, credentials["username"])
    login = page.fetch("POST", "/login/", credentials)
    assert (login.status, sorted(login.body)) == (200, ["access", "refresh"])
    refreshed = page.fetch("POST", "/token-refresh/", {"refresh": login.body["refresh"]})
    assert refreshed.status == 200
    assert page.fetch("GET", "/").status == 401, "the page may read errors too"
    page.token = refreshed.body["access"]

    created = page.fetch("POST", "/", {"task": "Task name", "description": "Task description"})
    assert (created.status, created.headers["ETag"]) == (201, '"1"')
    path = f"/task/{created.body['uuid']}/"
    listed = page.fetch("GET", "/")
    assert (listed.status, listed.body, listed.headers["X-Taskbeam-Seq"]) == (200, [created.body], "1")
    assert listed.headers["X-Taskbeam-Epoch"]
    assert page.fetch("GET", path).body == created.body
    put = page.fetch("PUT", path, {"task": "Put", "description": "Put"})
    assert (put.status, put.body["task"]) == (200, "Put")
    patched = page.fetch("PATCH", path, {"completed": True}, If_Match='"2"')
    assert (patched.status, patched.body["completed"], patched.headers["ETag"]) == (200, True, '"3"')
    assert page.fetch("PATCH", path, {}, If_Match='"2"').status == 412
    deleted = page.fetch("DELETE", path, X_Request_ID="from-the-page")
    assert (deleted.status, deleted.body) == (204, None)
    assert deleted.headers["X-Request-ID"] == "from-the-page"
    assert page.fetch("GET", path).status == 404


def test_a_page_can_read_the_event_stream(page: Page, account: Account) -> None:
    page.token = account.access
    stream = page.tab.run(
        """
        const [url, token] = arguments;
        window.events = '';
        window.stopper = new AbortController();
        return fetch(url, {headers: {Authorization: 'Bearer ' + token}, signal: window.stopper.signal}).then(
            (response) => {
                const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
                const read = () => reader.read().then(({value, done}) => {
                    if (!done) { window.events += value; return read(); }
                }).catch(() => {});
                read();
                return response.headers.get('Content-Type');
            });
        """,
        f"{page.url}/events/",
        account.access,
    )
    assert stream.startswith("text/event-stream")
    account.rest("POST", "/", {"task": "Seen in the stream"})
    page.tab.wait_for("return window.events.includes('Seen in the stream')")
    page.tab.run("window.stopper.abort()")


@pytest.fixture(scope="module")
def closed_system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """Allows one origin, which is not the page's."""
    with running(tmp_path_factory.mktemp("closed"), ALLOWED_ORIGINS="https://app.example.org") as system:
        yield system


def test_a_page_of_another_origin_gets_no_answer(browser: Chrome, closed_system: System) -> None:
    with served_page(closed_system.ws.port) as origin:
        tab = Tab(browser, f"{origin}/tasks#token")
        page = Page(tab, closed_system.rest_url)
        assert page.fetch("GET", "/").status == 0
        assert page.fetch("POST", "/login/", {"username": "x", "password": "y"}).status == 0
        assert tab.closed() == 1006, "the handshake is refused"
        assert tab.received(0) == []
        tab.close()
