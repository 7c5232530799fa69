"""The page at ``/app/`` in a tab, as a person uses it, and the rules of accessibility that each state has to meet."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cache
from pathlib import Path
from typing import Any, Final

from selenium.common import TimeoutException
from selenium.webdriver import Chrome, Keys

from tests.browser.firefox_tabs import FirefoxTab
from tests.browser.tabs import Tab
from tests.npm.node import FOLDER
from tests.support.clients import PASSWORD, Account
from tests.support.firefox import Firefox
from tests.support.processes import System

_AXE: Final = FOLDER / "node_modules" / "axe-core" / "axe.min.js"
_SEEN: Final = """((at) => at?.checkVisibility() ? at.innerText : '')(document.querySelector(arguments[0]))"""
_TASKS: Final = "return [...document.querySelectorAll('#list li .text span')].map((each) => each.textContent)"
_CHECK: Final = """
return axe.run(document, {resultTypes: ['violations'], runOnly: arguments[0]}).then(({violations}) => violations.map(
    ({id, nodes}) => `${id}: ${nodes.map(({html, failureSummary}) => `${html} ${failureSummary}`).join(' | ')}`));
"""
_RULES: Final = {
    "light": [
        "wcag2a",
        "wcag2aa",
        "wcag21a",
        "wcag21aa",
        "wcag22aa",
        "best-practice",
    ],
    "dark": ["color-contrast"],  # the rest does not depend on colours
}


@cache
def _axe(path: Path) -> str:
    return path.read_text()


class AppPage(ABC):
    """The page, in a tab of whichever browser."""

    schemes: tuple[str, ...] = ("light", "dark")

    @abstractmethod
    def run(self, script: str, *arguments: object) -> Any: ...

    @abstractmethod
    def wait_for(self, script: str, *arguments: object) -> Any: ...

    @abstractmethod
    def type_keys(self, *keys: str) -> None: ...

    @abstractmethod
    def reload(self) -> None: ...

    @abstractmethod
    def close(self) -> None: ...

    @abstractmethod
    def show_scheme(self, scheme: str) -> None:
        """``light`` or ``dark``; and without motion, which axe would take for another colour."""

    def text(self, selector: str) -> str:
        """What is seen there; ``''`` where it is hidden or absent."""
        text: str = self.run(f"return {_SEEN}", selector)
        return text.strip()

    def sees(self, selector: str, text: str) -> None:
        """Wait until the text is seen there."""
        self.wait_for(f"return {_SEEN}.includes(arguments[1])", selector, text)

    def tasks(self, *expected: str) -> None:
        """Wait until the list shows these, in this order."""
        try:
            self.wait_for(f"{_TASKS}.join() === arguments[0].join()", expected)
        except TimeoutException:
            assert self.run(_TASKS) == list(expected)

    def click(self, selector: str) -> None:
        self.run("document.querySelector(arguments[0]).click()", selector)

    def choose(self, label: str) -> None:
        """Press the button that says so."""
        self.run(
            "[...document.querySelectorAll('button')].find((button) => button.innerText === arguments[0]).click()",
            label,
        )

    def row(self, text: str) -> str:
        """A selector of the row that shows the text."""
        uuid = self.run(
            "return [...document.querySelectorAll('#list li')]"
            ".find((row) => row.textContent.includes(arguments[0])).dataset.uuid",
            text,
        )
        return f'#list li[data-uuid="{uuid}"]'

    def type(self, *keys: str, into: str = "") -> None:
        """Press keys, where the focus is or in a field, whose content goes."""
        self.run("arguments[0] && document.querySelector(arguments[0]).select()", into)
        self.type_keys(*keys)

    def add(self, text: str) -> None:
        self.type(text, Keys.ENTER, into="#new-task")

    def edit(self, text: str, to: str) -> None:
        self.click(f"{self.row(text)} .text")
        self.type(to, into=".editor input")

    def log_in(self, username: str, password: str) -> None:
        self.type(username, into="#username")
        self.type(password, Keys.ENTER, into="#password")

    def forget(self) -> None:
        """Come for the first time, whoever was here before."""
        self.run("localStorage.clear()")
        self.reload()
        self.sees("#entrance-title", "Make an account")

    def enter(self, account: Account) -> None:
        self.forget()
        self.click("#other")
        self.log_in(account.username, PASSWORD)
        self.sees("#connection", "Live")

    def check(self) -> None:
        """Axe finds nothing, in light and in dark."""
        self.run(_axe(_AXE))
        try:
            for scheme in self.schemes:
                self.show_scheme(scheme)
                found = self.run(_CHECK, _RULES[scheme])
                assert not found, f"{scheme}: {found}"
        finally:
            self.show_scheme("light")

    def focused(self) -> str:
        """What the focus is on: the id or class of the element, and its text or label."""
        said: str = self.run(
            "const at = document.activeElement;"
            "return `${at.id || at.className || at.type || at.tagName} ${at.ariaLabel ?? at.innerText}`"
        )
        return said


class App(Tab, AppPage):
    """A tab of Chromium with the page."""

    def __init__(self, browser: Chrome, system: System, path: str = "/app/") -> None:
        Tab.__init__(self, browser, system.rest_url + path)

    def accessibility_tree(self) -> list[Any]:
        """The nodes that Chromium hands to screen readers."""
        self._browser.switch_to.window(self._handle)
        nodes: list[Any] = self._browser.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
        return nodes

    def show_scheme(self, scheme: str) -> None:
        features = [
            {"name": "prefers-color-scheme", "value": scheme},
            {"name": "prefers-reduced-motion", "value": "reduce"},
        ]
        self._browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})


class FirefoxApp(FirefoxTab, AppPage):
    """A tab of Firefox with the page; its scheme is that of the profile."""

    def __init__(self, browser: Firefox, system: System, path: str = "/app/") -> None:
        FirefoxTab.__init__(self, browser, system.rest_url + path)
        self.schemes = (browser.scheme,)

    def show_scheme(self, scheme: str) -> None:
        """The profile has it already."""


AnyApp = App | FirefoxApp


def open_app(browser: Chrome | Firefox, system: System) -> AnyApp:
    return FirefoxApp(browser, system) if isinstance(browser, Firefox) else App(browser, system)


def console(browser: Chrome) -> list[str]:
    """What stands in the console since the last call, but for servers that were not there."""
    entries: list[dict[str, Any]] = browser.get_log("browser")  # type: ignore[no-untyped-call]
    gone = ("ERR_CONNECTION_REFUSED", "ERR_CONNECTION_RESET", "the server responded with a status of 40")
    return [entry["message"] for entry in entries if not any(text in entry["message"] for text in gone)]
