"""Tasks on a terminal."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console

from taskbeam.remote.table import Row, age, marks_for, rows, table

_NOW = datetime(2026, 5, 17, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("ago", "said"),
    [
        (timedelta(seconds=-5), "now"),
        (timedelta(seconds=59), "now"),
        (timedelta(seconds=60), "1 min"),
        (timedelta(minutes=59, seconds=59), "59 min"),
        (timedelta(hours=1), "1 h"),
        (timedelta(hours=23, minutes=59), "23 h"),
        (timedelta(days=1), "1 d"),
        (timedelta(days=13, hours=23), "13 d"),
    ],
)
def test_age(ago: timedelta, said: str) -> None:
    assert age((_NOW - ago).isoformat(), _NOW) == said


def test_after_two_weeks_age_is_a_day() -> None:
    then = _NOW - timedelta(days=14)
    assert age(then.isoformat(), _NOW) == then.astimezone().date().isoformat()


@pytest.mark.parametrize(
    ("encoding", "marks"),
    [("utf-8", ("○", "✓")), ("latin-1", ("-", "x")), (None, ("-", "x")), ("no such", ("-", "x"))],
)
def test_marks_are_letters_that_the_terminal_has(encoding: str | None, marks: tuple[str, str]) -> None:
    assert marks_for(encoding) == marks


def _printed(shown: list[Row], columns: int) -> list[str]:
    console = Console(file=io.StringIO(), width=columns)
    console.print(table(shown))
    assert isinstance(console.file, io.StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def _task(text: str, description: str = "", completed: bool = False) -> dict[str, object]:
    now = datetime.now(UTC).isoformat()
    return {"task": text, "description": description, "completed": completed, "time_modified": now}


def test_a_table_with_numbers() -> None:
    shown = rows([_task("Buy milk", "2 litres"), _task("Walk the dog", completed=True)], ["629d", "6c11"])
    assert _printed(shown, 50) == [
        "#     Task                           Changed  Id",
        "1  ○  Buy milk  2 litres                 now  629d",
        "2  ✓  Walk the dog                       now  6c11",
    ]


def test_a_table_without_numbers_on_a_narrow_terminal() -> None:
    row = Row(
        None, "629d", "A long text\nof two lines", "", False, datetime.now(UTC).isoformat(), is_new=True
    )
    assert _printed([row], 30) == ["   Task          Changed  Id", "○  A long text…      now  629d"]
