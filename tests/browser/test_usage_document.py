"""A page with the usage document's own JavaScript works unchanged."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest
from selenium.webdriver import Chrome

from tests.browser.page import EXAMPLE
from tests.browser.tabs import Tab
from tests.support.clients import Account, new_account
from tests.support.frames import TASK_KEYS, Frame
from tests.support.processes import System

# The document's messages, verbatim; "<TASK_UUID>" is put in.
ALL = """{
    "mode": "all"
}"""
CREATE = """{
    "mode": "create",
    "data": {
        "task": "Task name",
        "description": "Task description"
    }
}"""
READ = """{
    "mode": "read",
    "task_id": "<TASK_UUID>"
}"""
UPDATE = """{
    "mode": "update",
    "task_id": "<TASK_UUID>",
    "data": {
        "task": "Updated task name",
        "description": "Updated task description"
    }
}"""
DELETE = """{
    "mode": "delete",
    "task_id": "<TASK_UUID>"
}"""

OpenTab = Callable[[str], Tab]


@pytest.fixture
def open_tab(browser: Chrome, origin: str) -> Iterator[OpenTab]:
    """Opens the page with a token."""
    tabs: list[Tab] = []

    def open_tab(token: str) -> Tab:
        tabs.append(Tab(browser, f"{origin}/tasks#{token}"))
        return tabs[-1]

    yield open_tab
    for tab in tabs:
        tab.close()


def test_the_page_authenticates(open_tab: OpenTab, account: Account) -> None:
    tab = open_tab(account.access)
    (frame,) = tab.received(1)
    assert tab.keys_of(0) == ["type", "message", "user_id", "expires", "epoch", "seq"]
    assert (frame["type"], frame["message"]) == ("auth", "Authentication successful")
    assert (frame["user_id"], frame["seq"]) == (account.id, 0)


def test_all_five_messages_are_answered(open_tab: OpenTab, account: Account) -> None:
    tab = open_tab(account.access)
    tab.received(1)

    def ask(message: str, count: int) -> Frame:
        tab.send(message)
        return tab.received(count)[count - 1]

    assert ask(ALL, 2) == {"type": "task.update", "mode": "all", "task": [], "seq": 0}

    created = ask(CREATE, 3)
    task, task_id = created["task"], created["task_id"]
    assert tab.keys_of(2) == ["type", "mode", "task", "task_id", "seq"]
    assert tab.run("return Object.keys(window.received[2].task)") == TASK_KEYS
    assert created == {"type": "task.update", "mode": "create", "task": task, "task_id": task_id, "seq": 1}
    assert task == {
        **task,
        "uuid": task_id,
        "user_id": account.id,
        "task": "Task name",
        "description": "Task description",
        "completed": False,
        "rev": 1,
    }

    assert ask(READ.replace("<TASK_UUID>", task_id), 4) == {
        "type": "task.update",
        "mode": "read",
        "task": task,
        "task_id": task_id,
    }

    updated = ask(UPDATE.replace("<TASK_UUID>", task_id), 5)
    assert (updated["mode"], updated["task_id"], updated["seq"]) == ("update", task_id, 2)
    assert updated["task"] == {
        **task,
        "task": "Updated task name",
        "description": "Updated task description",
        "time_modified": updated["task"]["time_modified"],
        "rev": 2,
    }
    assert ask(ALL, 6)["task"] == [updated["task"]]

    assert ask(DELETE.replace("<TASK_UUID>", task_id), 7) == {
        "type": "task.update",
        "mode": "delete",
        "task": {"message": "Task deleted!"},
        "task_id": task_id,
        "seq": 3,
    }
    assert ask(ALL, 8) == {"type": "task.update", "mode": "all", "task": [], "seq": 3}


def test_a_second_tab_sees_each_change_and_another_user_none(
    system: System, open_tab: OpenTab, account: Account
) -> None:
    other_user = new_account(system)
    first, second, third = (open_tab(user.access) for user in (account, account, other_user))
    for tab in (first, second, third):
        tab.received(1)
    first.send(CREATE)
    task_id = first.received(2)[1]["task_id"]
    second.send(UPDATE.replace("<TASK_UUID>", task_id))
    first.received(3)
    account.rest("PATCH", f"/task/{task_id}/", {"completed": True})
    first.received(4)
    first.send(DELETE.replace("<TASK_UUID>", task_id))
    assert [frame["seq"] for frame in first.received(5)[1:]] == [1, 2, 3, 4]
    assert second.received(5)[1:] == first.received(5)[1:]
    assert [frame["mode"] for frame in second.received(5)[1:]] == ["create", "update", "update", "delete"]
    third.send(ALL)
    assert [frame.get("mode") for frame in third.received(2)] == [None, "all"]
    assert third.received(2)[1]["task"] == []


def test_the_page_gets_the_close_code(open_tab: OpenTab, account: Account) -> None:
    tab = open_tab("no.good.token")
    assert tab.closed() == 4001
    assert tab.received(1) == [{"type": "error", "message": "Token Invalid", "code": "token_not_valid"}]
    tab = open_tab(account.access)
    tab.received(1)
    tab.send("{not JSON")
    assert tab.closed() == 4003
    tab = open_tab(account.access)
    tab.received(1)
    account.rest("POST", "/logout/", {"refresh": account.refresh})
    assert tab.closed() == 4403


def test_errors_keep_the_connection_usable(open_tab: OpenTab, account: Account) -> None:
    tab = open_tab(account.access)
    tab.received(1)
    tab.send(READ)  # with "<TASK_UUID>" as it stands in the document
    tab.send(json.dumps({"mode": "nonsense"}))
    tab.send(ALL)
    frames = tab.received(4)
    assert [frame.get("code") for frame in frames] == [None, "not_found", "invalid_request", None]
    assert frames[1]["message"] == "Task not Found!"
    assert frames[2]["message"] == "Invalid JSON DATA"


def test_the_example_is_the_documents_own() -> None:
    """The copy in this package must stay verbatim."""
    assert EXAMPLE.count("\n") == 27
    assert "const socket = new WebSocket('ws://localhost:8000/ws/tasks/');" in EXAMPLE
