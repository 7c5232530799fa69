"""``ls``, ``add``, ``edit``, ``done`` and ``rm`` against a running server."""

from __future__ import annotations

import re
import uuid
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete

from taskbeam.cli import main
from tests.support.clients import new_account
from tests.support.processes import System
from tests.support.terminal import Terminal
from tests.taskbeam.person import Person


def _texts(person: Person, *options: str) -> list[str]:
    return [task["task"] for task in person.json("ls", *options)]


def test_a_day_with_tasks(person: Person) -> None:
    (milk,) = person.json("add", "Buy", "milk", "--description", "2 litres")
    assert (milk["task"], milk["description"], milk["completed"]) == ("Buy milk", "2 litres", False)
    assert person.do("add", "Walk the dog", "--done").startswith("Added ")
    assert person.json("ls")[0] == milk
    assert person.do("edit", "1", "Buy oat milk").endswith("  Buy oat milk\n")
    assert person.do("done", "1").endswith("  Buy oat milk\n")
    (milk,) = person.json("edit", "1", "--open", "-d", "")
    assert (milk["task"], milk["description"], milk["completed"]) == ("Buy oat milk", "", False)
    assert person.do("rm", "2", milk["uuid"]).count("Deleted") == 2
    assert person.do("ls") == ""


def test_filters_and_orders(person: Person) -> None:
    for arguments in (["Buy milk"], ["Call Ann", "--done"], ["Buy bread"]):
        person.do("add", *arguments)
    assert _texts(person) == ["Buy milk", "Call Ann", "Buy bread"]
    assert _texts(person, "--open") == ["Buy milk", "Buy bread"]
    assert _texts(person, "--done") == ["Call Ann"]
    assert _texts(person, "--search", "buy bread") == ["Buy bread"]
    assert _texts(person, "--search", "\udcff") == []  # a byte that is not UTF-8
    assert "lone surrogates" in person.fails("add", "\udcff", status=1)
    assert _texts(person, "--order", "newest") == ["Buy bread", "Call Ann", "Buy milk"]
    assert _texts(person, "--order", "text", "--limit", "2") == ["Buy bread", "Buy milk"]
    person.do("edit", person.json("ls")[0]["uuid"], "Milk")
    assert _texts(person, "--order", "changed") == ["Milk", "Buy bread", "Call Ann"]


def test_a_line_of_a_list_has_four_parts_and_controls_no_terminal(person: Person) -> None:
    (task,) = person.json("add", "a\tb\nc\x1b[31m", "--done")
    line = person.do("ls")
    assert line == f"{task['uuid']}\tdone\t{task['time_modified']}\ta b c\N{REPLACEMENT CHARACTER}[31m\n"


@pytest.mark.parametrize("color", [True, False])
def test_a_list_on_a_terminal(person: Person, color: bool) -> None:
    person.do("add", "Buy milk")
    person.do("add", "Walk the dog, and then the other one", "--done")

    def listed(*options: str) -> list[str]:
        """Lines, without the ids at the ends of rows."""
        terminal = Terminal("taskbeam", "ls", *options, environ=person.environ, columns=40, color=color)
        assert terminal.end() == 0
        assert ("\x1b[36m" in terminal.raw) == (color and "Id" in terminal.raw)
        *table, space, footer = [" ".join(line.split()) for line in terminal.text.splitlines()]
        assert space == ""
        return [*(row.rpartition(" ")[0] for row in table), footer]

    if not color:
        assert listed("--open") == ["# Task Changed", "1 ○ Buy milk now", "1 open"]
        return
    header, open_task, done_task, footer = listed()
    assert (header, open_task, footer) == ("# Task Changed", "1 ○ Buy milk now", "1 open, 1 done")
    assert re.fullmatch("2 ✓ Walk the dog.*… now", done_task)
    assert listed("--limit", "1")[-1] == "1 of 2 shown"


def test_a_task_is_named_by_a_part_of_its_uuid(person: Person) -> None:
    first = "aaaa0000-0000-4000-8000-" + uuid.uuid4().hex[:12]
    second = "aaaa1111-0000-4000-8000-" + uuid.uuid4().hex[:12]
    for task in (first, second):
        person.do("add", "Buy milk", "--uuid", task)
    assert person.json("done", "AAAA0")[0]["uuid"] == first
    assert person.json("done", second[-10:])[0]["uuid"] == second
    assert person.fails("done", "aaaa") == (
        f"'aaaa' may be any of 2 tasks:\n  {first}  Buy milk\n  {second}  Buy milk"
    )


@pytest.mark.parametrize("name", ["7", "01", "milk", "ffff", "\x1b"])
def test_there_is_no_such_task(person: Person, name: str) -> None:
    """A number that the list does not have is no part of a uuid."""
    person.do("add", "Buy milk", "--uuid", f"{uuid.uuid4()}"[:-1] + "7")
    person.do("ls")
    assert person.fails("rm", "1", name).startswith("There is no task ")
    assert _texts(person) == ["Buy milk"]


def test_a_task_that_is_gone(person: Person) -> None:
    (task,) = person.json("add", "Buy milk")
    person.do("rm", task["uuid"])
    for arguments in (["rm"], ["done"], ["edit", "--open"]):
        assert person.fails(*arguments, task["uuid"]) == "There is no such task."


def test_a_task_that_has_been_changed_meanwhile(person: Person) -> None:
    (task,) = person.json("add", "Buy milk")
    assert person.json("edit", task["uuid"], "Buy bread", "--rev", "1")[0]["rev"] == 2
    assert person.fails("edit", task["uuid"], "Buy oats", "--rev", "1") == (
        "The task has been changed meanwhile: it is now 'Buy bread', revision 2."
    )


def test_a_create_that_is_tried_again(person: Person) -> None:
    arguments = ["add", "Buy milk", "--uuid", str(uuid.uuid4())]
    assert person.json(*arguments) == person.json(*arguments)
    assert _texts(person) == ["Buy milk"]


def test_a_text_that_the_server_refuses(person: Person) -> None:
    assert person.fails("add", " ") == "task: This field may not be blank."
    assert person.fails("edit", "x" * 8, status=2).startswith("Say what is to change")


def test_the_limit_of_tasks(low_limits_system: System, tmp_path: Path) -> None:
    person = Person(tmp_path, low_limits_system, new_account(low_limits_system))
    person.log_in()
    for text in "abc":
        person.do("add", text)
    assert person.fails("add", "d") == "There are 3 tasks already, as many as the server keeps for a user."


def test_tasks_complete_from_the_last_list(person: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(person.folder))
    (task,) = person.json("add", "Buy milk")
    person.do("ls")

    def completed(*words: str) -> list[tuple[str, str | None]]:
        complete = ShellComplete(main, {}, "taskbeam", "_TASKBEAM_COMPLETE")
        return [(item.value, item.help) for item in complete.get_completions(list(words[:-1]), words[-1])]

    ((end, text),) = completed("done", "")
    assert task["uuid"].endswith(end)
    assert text == "Buy milk"
    assert completed("edit", task["uuid"][:9]) == [(task["uuid"], "Buy milk")]
    assert [name for name, _ in completed("ex")] == ["export"]
