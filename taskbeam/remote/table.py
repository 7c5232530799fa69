"""Tasks for a terminal, and for programs that read lines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from taskbeam.output import one_line

_UNITS: Final = ((60, "min", 60), (3600, "h", 24), (86_400, "d", 14))
"""Seconds of each, its name, and how many of it are said before the next one is."""


class Row(NamedTuple):
    """``is_new``: it has just changed."""

    number: int | None
    short_name: str
    task: str
    description: str
    completed: bool
    time_modified: str
    is_new: bool = False


def rows(tasks: Sequence[dict[str, Any]], names: Sequence[str]) -> list[Row]:
    """Numbered from 1 on."""
    return [
        Row(number, name, task["task"], task["description"], task["completed"], task["time_modified"])
        for number, (task, name) in enumerate(zip(tasks, names, strict=True), 1)
    ]


def plain_line(task: dict[str, Any]) -> str:
    """Its uuid, ``open`` or ``done``, the time of its last change, and its text, between tabs."""
    state = "done" if task["completed"] else "open"
    return "\t".join((task["uuid"], state, task["time_modified"], one_line(task["task"])))


def age(time_modified: str, now: datetime) -> str:
    """How long ago that is; after two weeks, the day."""
    then = datetime.fromisoformat(time_modified)
    seconds = (now - then).total_seconds()
    if seconds < 60:
        return "now"
    for size, name, most in _UNITS:
        if seconds < size * most:
            return f"{int(seconds / size)} {name}"
    return then.astimezone().date().isoformat()


def counted(open_tasks: int, done_tasks: int) -> str:
    """``2 open, 1 done``."""
    return f"{open_tasks} open, {done_tasks} done"


def table(shown: Iterable[Row], *, marks: tuple[str, str] = ("○", "✓")) -> Any:
    """A ``rich.table.Table``, as wide as the terminal.

    Args:
        marks: of an open task, and of one that is done.
    """
    from rich.console import RenderableType
    from rich.table import Table
    from rich.text import Text

    shown = list(shown)
    has_numbers = any(row.number is not None for row in shown)
    made = Table(box=None, pad_edge=False, expand=True, header_style="dim", padding=(0, 2, 0, 0))
    if has_numbers:
        made.add_column("#", justify="right", style="dim", no_wrap=True)
    made.add_column("", width=1, no_wrap=True)
    made.add_column("Task", ratio=1, no_wrap=True, overflow="ellipsis")
    made.add_column("Changed", justify="right", style="dim", no_wrap=True)
    made.add_column("Id", style="cyan", no_wrap=True)
    now = datetime.now(UTC)
    for row in shown:
        style = "bold" if row.is_new else ""
        mark = Text(marks[row.completed], "green" if row.completed else "yellow")
        text = Text(one_line(row.task), "dim" if row.completed and not row.is_new else style)
        if row.description:
            text.append(f"  {one_line(row.description)}", "dim")
        cells: list[RenderableType] = [mark, text, age(row.time_modified, now), row.short_name]
        made.add_row(*([str(row.number)] if has_numbers else []), *cells)
    return made


def marks_for(encoding: str | None) -> tuple[str, str]:
    """The marks that the terminal's encoding has."""
    try:
        "○✓".encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return ("-", "x")
    return ("○", "✓")
