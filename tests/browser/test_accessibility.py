"""The page as a screen reader has it: roles and names of each state, what is said and how often, and where the focus goes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from selenium.webdriver import Chrome, Keys

from tests.browser.app import App
from tests.support.clients import PASSWORD, new_account
from tests.support.processes import System, running
from tests.support.waiting import wait_until

_LISTEN = """
window.said = [];
new MutationObserver((changes) => changes.forEach(({addedNodes}) =>
    addedNodes.forEach(({textContent}) => said.push(textContent.replace(/[\u2068\u2069]/g, '')))
)).observe(document.getElementById('spoken'), {childList: true});
"""
_COUNT_TRIES = """
window.tries = 0;
const word = document.getElementById('word');
new MutationObserver(() => { tries += word.textContent === 'Connecting'; }).observe(word, {childList: true});
"""
_CONTROLS = {"button", "checkbox", "combobox", "link", "searchbox", "textbox", "DisclosureTriangle"}


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """Its WebSocket server is killed and started again."""
    with running(tmp_path_factory.mktemp("accessibility"), MESSAGES_PER_SECOND="0") as system:
        yield system


@pytest.fixture
def app(browser: Chrome, system: System) -> Iterator[App]:
    app = App(browser, system)
    yield app
    app.close()


class Tree:
    """Chromium's accessibility tree: what it hands to screen readers."""

    def __init__(self, app: App) -> None:
        nodes = app.accessibility_tree()
        self._nodes = [node for node in nodes if not node.get("ignored")]

    def named(self, *roles: str) -> list[str]:
        """The names of all nodes of these roles, in order."""
        return [self._name(node) for node in self._nodes if node["role"]["value"] in roles]

    def nameless(self) -> list[str]:
        """Roles of the controls without a name."""
        return [
            node["role"]["value"]
            for node in self._nodes
            if node["role"]["value"] in _CONTROLS and not self._name(node)
        ]

    def described(self, name: str) -> str:
        """The description of the control with that name."""
        [said] = [
            node.get("description", {}).get("value", "")
            for node in self._nodes
            if self._name(node) == name and node["role"]["value"] in _CONTROLS
        ]
        return str(said)

    @staticmethod
    def _name(node: dict[str, dict[str, str]]) -> str:
        return node.get("name", {}).get("value", "")


def _whole(app: App) -> Tree:
    """The tree, once what holds in every state is checked."""
    tree = Tree(app)
    assert tree.nameless() == []
    assert len(tree.named("main")) == len(tree.named("banner")) == len(tree.named("contentinfo")) == 1
    assert tree.named("heading")[0] == "Taskbeam"
    return tree


def _hears(app: App, *expected: str) -> None:
    """Exactly this was said since the last call."""
    app.wait_for("return said.length >= arguments[0]", len(expected))
    assert app.run("return said.splice(0)") == list(expected)


def test_the_entrance(app: App, system: System) -> None:
    account = new_account(system)
    app.forget()
    tree = _whole(app)
    assert tree.named("textbox") == ["Username", "Password"]
    assert app.focused().startswith("username")
    app.log_in(account.username, "short")
    app.sees("#username-problem", "exists")
    tree = _whole(app)
    assert "already exists" in tree.described("Username")
    assert "too short" in tree.described("Password")
    assert app.focused().startswith("username"), "the first field that has a problem"

    app.enter(account)
    account.rest("PATCH", "/me/", {"current_password": PASSWORD, "password": "another password"})
    app.sees("#entrance-text", "has ended")
    assert app.focused().startswith("password")
    assert _whole(app).described("Password").startswith("Your log-in has ended"), "read with the field"


def test_the_list(app: App, system: System) -> None:
    account = new_account(system)
    app.enter(account)
    app.run(_LISTEN)
    assert _whole(app).named("list", "listitem") == []
    [milk, _] = [
        account.rest("POST", "/", {"task": task}).body["uuid"] for task in ("Buy milk", "Walk the dog")
    ]
    app.tasks("Walk the dog", "Buy milk")
    tree = _whole(app)
    assert tree.named("list") == ["Tasks"]
    assert len(tree.named("listitem")) == 2
    assert tree.named("checkbox") == ["Walk the dog", "Buy milk"]
    assert tree.named("button")[3:] == ["Walk the dog", "Delete Walk the dog", "Buy milk", "Delete Buy milk"]
    assert tree.named("searchbox", "combobox") == ["Search", "Show", "Order"]
    _hears(app)  # what others do is seen, and not said

    app.type("milk", into="#search")
    _hears(app, "1 of 2 tasks")
    app.type("nothing", into="#search")
    _hears(app, "0 of 2 tasks")
    app.type(Keys.BACKSPACE, into="#search")
    _hears(app, "2 tasks, 2 open")

    app.edit("Buy milk", "Buy bread")
    assert _whole(app).named("textbox") == ["New task", "Task", "Description"]
    account.rest("PATCH", f"/task/{milk}/", {"task": "Buy oat milk"})
    app.sees("[role=alert].clash", "Buy oat milk")
    assert _whole(app).named("alert") == [""]
    app.type(Keys.ESCAPE)
    assert app.focused() == "text Buy oat milk"
    assert "Edit" in app.run("return document.activeElement.title")


def test_the_focus_is_never_lost(app: App, system: System) -> None:
    account = new_account(system)
    app.enter(account)
    app.run(_LISTEN)
    app.add("Only one")
    app.tasks("Only one")
    app.type(Keys.ARROW_DOWN, Keys.DELETE)
    app.tasks()
    assert app.focused() == "new-task New task", "no row is left"
    _hears(app, "Deleted “Only one”")
    app.run("document.querySelector('#notices button').focus()")
    app.type(Keys.ENTER)
    app.tasks("Only one")
    _hears(app, "“Only one” is back")
    assert app.focused() == "checkbox Only one"
    app.run("document.querySelector('#notices .cross').focus()")
    app.type(Keys.ENTER)
    assert app.text("#notices") == ""
    assert app.focused() == "checkbox Only one"

    app.type(Keys.F2)
    wait_until(lambda: account.rest("GET", "/").body, 10, "the task is on the server")
    [task] = account.rest("GET", "/").body
    account.rest("DELETE", f"/task/{task['uuid']}/")
    app.sees(".editor .problem", "Deleted elsewhere")
    app.type(Keys.ESCAPE)
    app.tasks()
    assert app.focused() == "new-task New task", "the row that was edited is gone"


def test_an_outage_is_said_once_and_a_conflict_too(app: App, system: System) -> None:
    account = new_account(system)
    app.enter(account)
    app.run(_LISTEN)
    app.add("Buy milk")
    wait_until(lambda: account.rest("GET", "/").body, 10, "the task is on the server")
    [task] = account.rest("GET", "/").body
    system.ws.kill()
    app.sees("#connection", "Offline")
    app.run(_COUNT_TRIES)
    for tries in range(1, 4):
        app.click("#banner button")
        app.wait_for("return tries >= arguments[0]", tries)
    app.sees("#connection", "Offline")
    assert "You are offline" in app.text("#banner")
    assert "Try now" in _whole(app).named("button")
    app.edit("Buy milk", "Buy bread")
    app.type(Keys.ENTER)
    account.rest("PATCH", f"/task/{task['uuid']}/", {"task": "Buy oat milk"})
    _hears(app, "Offline")
    system.ws.start()
    app.sees("#failures", "One change needs you")
    tree = _whole(app)
    assert tree.named("heading") == ["Taskbeam", "One change needs you"]
    assert tree.named("term") == ["Yours", "Theirs"]
    assert app.focused() == "text Buy oat milk", "it is not taken away"
    app.wait_for("return said.length === 3")
    said = set(app.run("return said.splice(0)"))
    assert said == {"Live", "One change while you were away", "One change needs you"}
    app.choose("Keep theirs")
    assert app.focused() == "new-task New task"
