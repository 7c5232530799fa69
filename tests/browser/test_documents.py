"""The pages of the API's documents, in a browser that reports what they do wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By

from tests.browser.tabs import Tab
from tests.support.clients import Account
from tests.support.processes import System

# Text in shadow trees too; those of the AsyncAPI viewer are open.
_TEXT = """
const texts = [];
const read = (node) => {
    if (node.nodeType === Node.TEXT_NODE) texts.push(node.data);
    if (node.shadowRoot) read(node.shadowRoot);
    if (!['STYLE', 'SCRIPT'].includes(node.nodeName)) node.childNodes.forEach(read);
};
read(document.body);
return texts.join(' ').includes(arguments[0]);
"""
_ANSWER = ".live-responses-table .highlight-code code"
_LOADED = "return performance.getEntriesByType('resource').map((entry) => entry.name)"


def _said(browser: Chrome) -> list[Any]:
    """What stands in the console since the last call."""
    entries: list[Any] = browser.get_log("browser")  # type: ignore[no-untyped-call]
    return entries


@pytest.fixture
def tab(browser: Chrome, system: System) -> Iterator[Tab]:
    _said(browser)  # what others have left
    tab = Tab(browser, f"{system.rest_url}/docs/")
    yield tab
    tab.close()


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/docs/", "Taskbeam API"),
        ("/docs", "Taskbeam API"),
        ("/docs/openapi/", "Make a task"),
        ("/docs/openapi", "Make a task"),
        ("/docs/asyncapi/", "TaskCreated"),
        ("/docs/asyncapi", "TaskCreated"),
    ],
)
def test_a_page_shows_its_document_and_loads_nothing_from_elsewhere(
    tab: Tab, browser: Chrome, system: System, path: str, text: str
) -> None:
    tab.run("location.href = arguments[0]", system.rest_url + path)
    tab.wait_for(f"return location.pathname === {path!r} && document.readyState === 'complete'")
    tab.wait_for(f"return (() => {{{_TEXT.replace('arguments[0]', repr(text))}}})()")
    loaded: list[str] = tab.run(_LOADED)
    assert loaded
    assert [address for address in loaded if not address.startswith(f"{system.rest_url}/")] == []
    # Violations of the policy are among them.
    assert _said(browser) == []


def test_a_request_can_be_tried_with_a_pasted_token(
    tab: Tab, browser: Chrome, system: System, account: Account
) -> None:
    tab.run("location.href = arguments[0]", f"{system.rest_url}/docs/openapi/#/Accounts/getMe")
    _click(tab, ".btn.authorize")
    tab.wait_for("return document.querySelector('.auth-container input')")
    browser.find_element(By.CSS_SELECTOR, ".auth-container input").send_keys(account.access)
    _click(tab, ".auth-btn-wrapper .authorize")
    _click(tab, ".auth-btn-wrapper .btn-done")
    _click(tab, ".btn.execute")
    answer: str = tab.wait_for(f"return document.querySelector({_ANSWER!r})?.textContent")
    assert json.loads(answer)["username"] == account.username
    assert _said(browser) == []


def _click(tab: Tab, selector: str) -> None:
    tab.wait_for(f"return document.querySelector({selector!r})")
    tab.run(f"document.querySelector({selector!r}).click()")
