"""``export`` and ``import``: all tasks come back, once, in their order, and a bad file changes nothing."""

from __future__ import annotations

import errno
import json
import os
import stat
from pathlib import Path

import pytest

from tests.support.clients import new_account
from tests.taskbeam.person import Person


def _contents(person: Person) -> list[tuple[str, str, bool]]:
    return [(task["task"], task["description"], task["completed"]) for task in person.json("ls")]


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "txt"])
def test_tasks_that_are_lost_come_back_once(person: Person, tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"tasks.{suffix}"
    person.do("add", "Buy milk", "-d", "2 litres, „fresh“")
    person.do("add", "Walk the dog", "--done")
    before = _contents(person)
    uuids = [task["uuid"] for task in person.json("ls")]
    person.do("export", str(file))
    person.do("rm", *uuids)
    assert person.do("import", str(file)) == "Imported 2; 0 were there already.\n"
    assert person.json("import", str(file)) == [{"created": 0, "present": 2}]
    assert _contents(person) == before
    assert [task["uuid"] for task in person.json("ls")] == uuids


def test_a_task_that_is_there_stays_as_it_is(person: Person, tmp_path: Path) -> None:
    file = tmp_path / "tasks.jsonl"
    (task,) = person.json("add", "Buy milk")
    person.do("export", str(file))
    person.do("edit", task["uuid"], "Buy bread")
    person.do("import", str(file))
    assert _contents(person) == [("Buy bread", "", False)]


def test_what_is_no_file_is_written_to_and_not_replaced(person: Person) -> None:
    person.do("add", "Buy milk")
    assert person.run("export", "/dev/null").exit_code == 0
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


def test_an_export_that_fails_leaves_what_was_there(
    person: Person, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    file = tmp_path / "tasks" / "tasks.csv"
    assert person.fails("export", str(file)) == f"{file}: No such file or directory"
    file.parent.mkdir()
    file.write_text("precious")
    monkeypatch.setattr(os, "replace", fail)
    assert person.fails("export", str(file)) == f"{file}: No space left on device"
    assert [each.read_text() for each in file.parent.iterdir()] == ["precious"]


def test_standard_input_and_output(person: Person) -> None:
    lines = "Buy milk\nx Walk the dog\nBuy milk\n"
    person.do("import", "-", "--format", "todo.txt", input=lines)
    person.do("import", "-", "--format", "todo.txt", input=lines)  # tasks without a uuid are known again
    expected = [("Buy milk", "", False), ("Walk the dog", "", True), ("Buy milk", "", False)]
    assert _contents(person) == expected
    exported = [json.loads(line) for line in person.do("export").splitlines()]
    assert [task["task"] for task in exported] == [text for text, _, _ in expected]


def test_many_large_tasks_keep_their_order(person: Person, tmp_path: Path) -> None:
    file = tmp_path / "tasks.jsonl"
    tasks = [{"task": str(number), "description": "ü" * 5000} for number in range(25)]
    tasks += [{"task": str(number)} for number in range(25, 250)]
    file.write_text("\n".join(map(json.dumps, tasks)))
    assert person.do("import", str(file)) == "Imported 250; 0 were there already.\n"
    assert [text for text, _, _ in _contents(person)] == [str(number) for number in range(250)]


def test_a_bad_line_changes_nothing(person: Person, tmp_path: Path) -> None:
    file = tmp_path / "tasks.csv"
    file.write_text("task,completed\na,true\nb,maybe\n")
    said = person.fails("import", str(file))
    assert said == f"{file}: line 3: completed: true or false is expected, not 'maybe'. Nothing was imported."
    file.write_bytes(b"task\na\n\xff\n")
    assert person.fails("import", str(file)) == f"{file}: line 3: it is not UTF-8."
    assert _contents(person) == []


def test_tasks_of_another_user_of_the_server(person: Person, tmp_path: Path) -> None:
    other = Person(tmp_path / "other", person.system, new_account(person.system))
    other.log_in()
    other.do("add", "Buy milk")
    file = tmp_path / "tasks.jsonl"
    other.do("export", str(file))
    said = person.fails("import", str(file))
    assert said.startswith(f"{file}: line 1: uuid: ")
    assert said.endswith("(0 tasks of the file are there; the import may be run again.)")


def test_files_that_cannot_be_used(person: Person, tmp_path: Path) -> None:
    absent = tmp_path / "absent" / "tasks.csv"
    assert person.fails("import", str(absent)) == f"{absent}: No such file or directory"
    assert person.fails("export", str(absent)) == f"{absent}: No such file or directory"
    assert "--format jsonl, csv or todo.txt" in person.fails("import", "-", status=2)


def test_an_export_is_private_and_leaves_nothing_beside_it(person: Person, tmp_path: Path) -> None:
    folder = tmp_path / "exports"
    folder.mkdir()
    person.do("export", str(folder / "tasks.csv"))
    (file,) = folder.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert file.read_bytes() == b"uuid,task,description,completed,time_created,time_modified\r\n"
