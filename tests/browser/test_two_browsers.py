"""The page in Chromium and in Firefox, and a REST client, all on one account: what one writes the others see, whatever is killed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import psutil
import pytest
from selenium.webdriver import Chrome, Keys

from tests.browser.app import AnyApp, console, open_app
from tests.npm.node import require_node
from tests.support.clients import Account, new_account
from tests.support.firefox import Firefox, firefox, require_firefox
from tests.support.processes import System, running
from tests.support.waiting import wait_until

_ONLINE: Final = "window.dispatchEvent(new Event('online'))"  # it ends the pause before the next try
_SERVICE_WORKER: Final = (
    "return navigator.serviceWorker.ready.then(({active}) => active.state === 'activated')"
)


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """Its processes are killed and started again."""
    with running(tmp_path_factory.mktemp("browsers"), MESSAGES_PER_SECOND="0") as system:
        yield system


@pytest.fixture(scope="module")
def other_browser() -> Iterator[Firefox]:
    require_node()  # axe is a package beside it
    require_firefox()
    with firefox() as browser:
        yield browser


@pytest.mark.parametrize("first", ["Chromium", "Firefox"])
def test_two_browsers_and_a_rest_client_stay_one(
    first: str, browser: Chrome, other_browser: Firefox, system: System
) -> None:
    """The first browser has two tabs, is reloaded without a server, and is asked about a conflict."""
    chosen = (browser, other_browser) if first == "Chromium" else (other_browser, browser)
    one, other = (open_app(each, system) for each in chosen)
    account = new_account(system)
    one.enter(account)
    other.enter(account)
    tab = open_app(chosen[0], system)
    pages = [one, other, tab]
    try:
        _all_are_live(account, pages, system)
        _a_killed_server_is_survived(account, pages, system)
        _without_any_server(account, pages, system)
        _both_changed_one_task(account, pages, system)
    finally:
        for page in pages:
            page.close()
    assert console(browser) == []
    assert other_browser.take_errors() == []


def _all_are_live(account: Account, pages: list[AnyApp], system: System) -> None:
    one, other, tab = pages
    one.add("Buy milk")
    _all_show(pages, "Buy milk")
    other.add("Walk the dog")
    _all_show(pages, "Walk the dog", "Buy milk")
    account.rest("POST", "/", {"task": "Call the bank"})
    _all_show(pages, "Call the bank", "Walk the dog", "Buy milk")
    tab.click(f"{tab.row('Buy milk')} [type=checkbox]")
    for page in pages:
        page.sees("#summary", "3 tasks, 2 open")
    wait_until(lambda: _server(account)["Buy milk"], 10, "what is done is done on the server")
    assert _sockets(system) == 2, "two tabs of one browser have one connection"
    one.check()
    other.check()


def _a_killed_server_is_survived(account: Account, pages: list[AnyApp], system: System) -> None:
    """What is written meanwhile, in both browsers and by REST, arrives when it is back."""
    one, other, _ = pages
    system.ws.kill()
    for page in pages:
        page.sees("#connection", "Offline")
    one.add("From the first, offline")
    other.edit("Walk the dog", "Walk both dogs")
    other.type(Keys.ENTER)
    one.sees("#banner", "One change waits")
    other.sees("#banner", "One change waits")
    account.rest("POST", "/", {"task": "By REST meanwhile"})
    system.ws.start()
    _are_live(pages)
    for page in (one, other):
        page.sees("#notices", "while you were away")
    expected = {"Buy milk", "Walk both dogs", "Call the bank", "From the first, offline", "By REST meanwhile"}
    _all_have(pages, expected)
    _settles(account, expected)


def _without_any_server(account: Account, pages: list[AnyApp], system: System) -> None:
    """The list is there after a reload; what is written then is sent later."""
    one, _, tab = pages
    one.wait_for(_SERVICE_WORKER)
    system.gateway.kill()
    one.add("The gateway is dead")
    wait_until(lambda: "The gateway is dead" in tab.text("#list"), 10, "WebSockets need no gateway")
    system.ws.kill()
    tab.sees("#connection", "Offline")
    tab.close()
    one.reload()
    one.sees("#connection", "Offline")
    one.sees("#list", "The gateway is dead")
    one.add("After a reload")
    one.sees("#banner", "One change waits")
    one.check()
    for process in system.processes:
        process.start(ready=False)
    for process in system.processes:
        process.wait_ready()
    del pages[2]
    _are_live(pages)
    expected = {
        "Buy milk",
        "Walk both dogs",
        "Call the bank",
        "From the first, offline",
        "By REST meanwhile",
        "The gateway is dead",
        "After a reload",
    }
    _all_have(pages, expected)
    _settles(account, expected)


def _both_changed_one_task(account: Account, pages: list[AnyApp], system: System) -> None:
    """The one whose change comes second is asked."""
    one, _ = pages
    system.ws.kill()
    for page in pages:
        page.sees("#connection", "Offline")
    one.edit("Buy milk", "Buy soy milk")
    one.type(Keys.ENTER)
    [milk] = [task["uuid"] for task in account.rest("GET", "/").body if task["task"] == "Buy milk"]
    account.rest("PATCH", f"/task/{milk}/", {"task": "Buy oat milk"})
    system.ws.start()
    _are_live(pages)
    one.sees("#failures", "One change needs you")
    one.check()
    one.choose("Keep mine")
    for page in pages:
        page.sees("#list", "Buy soy milk")
    wait_until(lambda: "Buy soy milk" in _server(account), 10, "the write")


def _server(account: Account) -> dict[str, bool]:
    return {task["task"]: task["completed"] for task in account.rest("GET", "/").body}


def _settles(account: Account, expected: set[str]) -> None:
    wait_until(lambda: _server(account).keys() == expected, 10, f"the server has {expected}")


def _all_show(pages: list[AnyApp], *expected: str) -> None:
    for page in pages:
        page.tasks(*expected)


def _all_have(pages: list[AnyApp], expected: set[str]) -> None:
    """Whatever their order."""
    for page in pages:
        page.wait_for(
            "const texts = [...document.querySelectorAll('#list .text span')].map((each) => each.textContent);"
            "return texts.sort().join() === arguments[0].join()",
            sorted(expected),
        )


def _are_live(pages: list[AnyApp]) -> None:
    for page in pages:
        page.wait_for(f"{_ONLINE}; return document.getElementById('word').textContent === 'Live'")


def _sockets(system: System) -> int:
    """How many connections the WebSocket server has."""
    connections = psutil.Process(system.ws.pid).net_connections("tcp")
    return sum(each.status == psutil.CONN_ESTABLISHED for each in connections)
