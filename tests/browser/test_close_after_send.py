"""A page that sends and closes at once: what it sent is carried out."""

from __future__ import annotations

from typing import Final

from selenium.webdriver import Chrome

from tests.browser.tabs import Tab
from tests.support.clients import Account
from tests.support.processes import System
from tests.support.waiting import wait_until

WRITES: Final = 20

_SEND_AND_CLOSE: Final = """
const [url, token, writes] = arguments;
return new Promise((resolve) => {
    const socket = new WebSocket(url);
    socket.onmessage = () => {
        socket.onmessage = null;
        for (let number = 0; number < writes; number++)
            socket.send(JSON.stringify({mode: 'create', data: {task: String(number)}}));
        socket.close();
        resolve();
    };
    socket.onopen = () => socket.send(JSON.stringify({type: 'auth', token}));
});
"""


def test_what_a_page_sends_before_it_closes_is_carried_out(
    browser: Chrome, origin: str, system: System, account: Account
) -> None:
    tab = Tab(browser, f"{origin}/blank")
    url = system.ws_url.replace("127.0.0.1", "localhost")
    tab.run(_SEND_AND_CLOSE, url, account.access, WRITES)
    tab.close()

    def tasks() -> list[str]:
        return [task["task"] for task in account.rest("GET", "/").body]

    wait_until(lambda: len(tasks()) == WRITES, 10, "all writes")
    assert tasks() == [str(number) for number in range(WRITES)]
