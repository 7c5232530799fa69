"""The tutorial's page, in a browser, as its reader has it in the end and before the last step."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Final

from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from tests.browser.firefox_tabs import FirefoxTab
from tests.support.chromium import chromium, require_chromium
from tests.support.clients import PASSWORD, Account, new_account
from tests.support.firefox import firefox, require_firefox
from tests.support.processes import ROOT, System
from tests.support.served_folder import served
from tests.support.waiting import wait_until

_PAGE: Final = (ROOT / "docs" / "tutorial" / "live_list.md").read_text()


_READ: Final = """
return [...document.querySelectorAll('li')].map(
    (row) => [row.querySelector('span').textContent, row.querySelector('input').checked])
"""


def _blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", _PAGE, re.MULTILINE | re.DOTALL)


def _make(folder: Path, system: System, account: Account) -> None:
    """``index.html`` as after step 5, and ``offline.html`` as after step 6."""
    (markup,) = _blocks("html")
    connect, *rest, connect_by_name = _blocks("js")
    first_lines = connect[: connect.index("const state")]
    scripts = {"list": connect + "".join(rest)}
    scripts["offline"] = scripts["list"].replace(first_lines, connect_by_name)
    for name, script in scripts.items():
        for shown, real in (
            ("http://localhost:8001/", f"{system.rest_url}/"),
            ("ws://localhost:8000/ws/tasks/", system.ws_url),
            ("'ann'", f"'{account.username}'"),
            ("'correct-horse'", f"'{PASSWORD}'"),
        ):
            assert shown in script
            script = script.replace(shown, real)
        (folder / f"{name}.js").write_text(script)
    (folder / "index.html").write_text(markup)
    (folder / "offline.html").write_text(markup.replace("list.js", "offline.js"))
    shutil.copy(ROOT / "clients" / "js" / "taskbeam.js", folder)


class _Window:
    """A window with the page."""

    def __init__(self, driver: Chrome, url: str) -> None:
        self._driver = driver
        driver.switch_to.new_window("window")
        self._handle = driver.current_window_handle
        driver.get(url)
        wait_until(lambda: driver.find_element(By.ID, "state").text == "live", 30, "the page is live")

    def use(self) -> Chrome:
        self._driver.switch_to.window(self._handle)
        return self._driver

    def has(self, *tasks: tuple[str, bool]) -> None:
        """Wait until the list is this: texts, and whether they are done."""
        driver = self.use()
        wait_until(lambda: driver.execute_script(_READ) == [list(task) for task in tasks], 30, f"{tasks}")

    def click(self, selector: str) -> None:
        self.use().find_element(By.CSS_SELECTOR, selector).click()


def test_the_list_is_live_and_keeps_what_is_written(system: System, tmp_path: Path) -> None:
    require_chromium()
    account = new_account(system)
    _make(tmp_path, system, account)
    account.rest("POST", "/", {"task": "Buy milk"})
    with served(tmp_path) as origin, chromium() as driver:
        one = _Window(driver, f"{origin}/index.html")
        one.has(("Buy milk", False))
        other = _Window(driver, f"{origin}/offline.html")
        other.has(("Buy milk", False))
        other.use().find_element(By.NAME, "task").send_keys("Walk the dog\n")
        other.has(("Buy milk", False), ("Walk the dog", False))
        one.has(("Buy milk", False), ("Walk the dog", False))
        one.click("li:last-child input")
        other.has(("Buy milk", False), ("Walk the dog", True))
        other.click("li:first-child button")
        one.has(("Walk the dog", True))
        assert [task["completed"] for task in account.rest("GET", "/").body] == [True]
        other.use().refresh()
        other.has(("Walk the dog", True))


def test_the_list_is_live_in_firefox_too(system: System, tmp_path: Path) -> None:
    require_firefox()
    account = new_account(system)
    _make(tmp_path, system, account)
    with served(tmp_path) as origin, firefox() as browser:
        one, other = (FirefoxTab(browser, f"{origin}/{page}.html") for page in ("index", "offline"))
        for tab in (one, other):
            tab.wait_for("return document.querySelector('#state').textContent === 'live'")

        def have(*tasks: tuple[str, bool]) -> None:
            expected = [list(task) for task in tasks]
            wait_until(lambda: [tab.run(_READ) for tab in (one, other)] == [expected] * 2, 30, f"{tasks}")

        other.run("document.forms[0].elements.task.focus()")
        other.type_keys("Walk the dog", Keys.ENTER)
        have(("Walk the dog", False))
        one.run("document.querySelector('li input').click()")
        have(("Walk the dog", True))
        other.run("document.querySelector('li button').click()")
        have()
        assert account.rest("GET", "/").body == []
        assert browser.take_errors() == []
