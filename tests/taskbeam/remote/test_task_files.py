"""Tasks in files: written and read again they are the same; what others write is read; what is no task is named by its line."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskbeam.remote.task_files import FORMATS, BadLine, Entry, format_of

_TEXTS = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cs"], exclude_characters="\0"), max_size=40
).map(str.strip)
_TASKS = st.fixed_dictionaries(
    {
        "uuid": st.uuids().map(str),
        "task": _TEXTS.filter(bool)
        | st.sampled_from(
            ["x 2026-01-01 y", "2026-01-01", "x y", "uuid:1", "a description:b", "description:"]
        ),
        "description": _TEXTS,
        "completed": st.booleans(),
        "time_created": st.just("2026-11-22T11:57:25.175297Z"),
        "time_modified": st.just("2026-11-23T11:57:25.175297Z"),
    }
)
JSON_LINES, CSV, TODO = FORMATS


def _content(task: dict[str, Any]) -> tuple[object, ...]:
    return task["task"], task["description"], task["completed"], task["uuid"]


@pytest.mark.parametrize("form", [JSON_LINES, CSV], ids=lambda form: form.name)
@given(tasks=st.lists(_TASKS, max_size=3))
def test_what_is_written_is_read_again(form: Any, tasks: list[dict[str, Any]]) -> None:
    read = list(form.read("".join(form.write(tasks))))
    assert [entry[1:] for entry in read] == [_content(task) for task in tasks]


@given(tasks=st.lists(_TASKS, max_size=3))
def test_what_is_written_as_todo_txt_is_read_again_with_blanks_for_line_breaks(
    tasks: list[dict[str, Any]],
) -> None:
    for task in tasks:
        task["task"] = task["task"].replace("\n", " ").replace("\r", " ")
    read = list(TODO.read("".join(TODO.write(tasks))))
    assert [(entry.task.strip(), *entry[2:]) for entry in read] == [_content(task) for task in tasks]


def test_a_line_of_todo_txt() -> None:
    (line,) = TODO.write(
        [
            {
                "uuid": "16f894b8-cb89-4672-9561-0b80cc75ae1b",
                "task": "Buy milk",
                "description": "2 litres",
                "completed": True,
                "time_created": "2026-11-22T11:57:25.175297Z",
                "time_modified": "2026-11-23T11:57:25.175297Z",
            }
        ]
    )
    assert line == (
        "x 2026-11-23 2026-11-22 Buy milk description:2%20litres uuid:16f894b8-cb89-4672-9561-0b80cc75ae1b\n"
    )


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("(A) Call Mum @phone +family", ("(A) Call Mum @phone +family", False)),
        ("2026-01-01 Call Mum due:2026-02-01", ("Call Mum due:2026-02-01", False)),
        ("x 2026-01-02 2026-01-01 Call Mum\r", ("Call Mum", True)),
        ("x Call Mum", ("Call Mum", True)),
        ("xylophone", ("xylophone", False)),
    ],
)
def test_todo_txt_of_another_program(line: str, expected: tuple[str, bool]) -> None:
    (entry,) = TODO.read(f"\n{line}\n\n")
    assert (entry.task, entry.completed) == expected
    assert entry.uuid is None
    assert entry.line == 2


def test_csv_of_another_program() -> None:
    text = 'completed,task,priority\r\nyes,"Buy\r\nmilk",high\r\n,Walk the dog,\r\n'
    assert list(CSV.read(text)) == [
        Entry(3, "Buy\r\nmilk", "", True, None),
        Entry(4, "Walk the dog", "", False, None),
    ]


@pytest.mark.parametrize(
    ("form", "text", "line", "reason"),
    [
        (JSON_LINES, '{"task": "a"}\n{"task"', 2, "it is no JSON"),
        (JSON_LINES, '["a"]', 1, "a JSON object is expected"),
        (JSON_LINES, '{"task": 1}', 1, "task: a text is expected"),
        (JSON_LINES, '\n{"task": " "}', 2, "task: a text is expected"),
        (JSON_LINES, '{"task": "a", "completed": 1}', 1, "completed: true or false is expected"),
        (JSON_LINES, '{"task": "a", "description": []}', 1, "description: a text is expected"),
        (JSON_LINES, '{"task": "a", "description": 1}', 1, "description: a text is expected"),
        (JSON_LINES, '{"task": "a", "uuid": 1}', 1, "uuid: a UUID is expected"),
        (JSON_LINES, '{"task": "%s"}' % ("a" * 256), 1, "task: no more than 255 characters are allowed"),
        (JSON_LINES, '{"task": "\\ud800"}', 1, "task: lone surrogates are no characters"),
        (CSV, "title\nBuy milk\n", 1, "the first line must name the columns, one of them `task`"),
        (CSV, "", 1, "the first line must name the columns, one of them `task`"),
        (CSV, "task,completed\na,maybe\n", 2, "completed: true or false is expected, not 'maybe'"),
        (CSV, 'task\n"a\n', 1, "it is no CSV: unexpected end of data"),
        (TODO, "a\nx 2026-01-01 \n", 2, "task: a text is expected"),
    ],
)
def test_what_is_no_task(form: Any, text: str, line: int, reason: str) -> None:
    with pytest.raises(BadLine) as raised:
        list(form.read(text))
    assert (raised.value.line, raised.value.reason) == (line, reason)


def test_a_format_is_named_or_known_by_the_end_of_the_files_name() -> None:
    assert format_of(None, "a/b.JSONL") is JSON_LINES
    assert format_of(None, "todo.txt") is TODO
    assert format_of("csv", "todo.txt") is CSV
    with pytest.raises(LookupError):
        format_of(None, "-")
