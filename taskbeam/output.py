"""What commands write: JSON for programs, tables and sentences for people, progress on the terminal.

Texts of users and servers control nothing there, whatever they hold.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import click

_JOINERS: Final = "\u200c\u200d"  # parts of emoji and of words
_WIDE: Final = 10_000  # columns, where nobody looks: a program's input is never folded

json_option = click.option("--json", "as_json", is_flag=True, help="Write JSON instead of text.")


def write_json(value: Any) -> None:
    """One line on standard output, in ASCII."""
    click.echo(json.dumps(value, separators=(",", ":")))


def one_line(text: str) -> str:
    """The text on one line, without control characters; its white space is single blanks."""
    return "".join(
        letter if letter.isprintable() or letter in _JOINERS else "\N{REPLACEMENT CHARACTER}"
        for letter in " ".join(text.split())
    )


def write_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table on standard output; its numbers stand to the right."""
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    listed = list(rows)
    for number, column in enumerate(columns):
        is_number = bool(listed) and isinstance(listed[0][number], int)
        table.add_column(column, justify="right" if is_number else "left", overflow="fold")
    for row in listed:
        table.add_row(*(one_line(str(value)) for value in row))
    width, height = shutil.get_terminal_size() if sys.stdout.isatty() else (_WIDE, 1)
    # Both are said: of a terminal whose TERM is "dumb" rich thinks that it has 80 columns.
    Console(width=width, height=height, markup=False, highlight=False).print(table)


@contextmanager
def progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on the terminal, moved by what is done and of how much; nothing where standard error is none."""
    if not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task: Any = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
