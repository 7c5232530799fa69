"""What an import did, for people and for programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from taskbeam.output import one_line

_NAMED_MAX: Final = 20  # rows of each kind in the text; JSON has all


class Row(msgspec.Struct, frozen=True):
    """A row of the application that there is something to say of. ``id``: a user's name or id, or a task's uuid."""

    id: str
    reason: str


class Part(msgspec.Struct):
    """What became of the users, or of the tasks.

    ``present``: were here already, the same. ``differing``: were here already, and stay as they are here. ``skipped``:
    could not come in.
    """

    added: int = 0
    present: int = 0
    differing: list[Row] = []
    skipped: list[Row] = []


class Report(msgspec.Struct):
    """``passwords``: users who came in and cannot log in with a password. ``ended_tokens``: stay refused."""

    dry_run: bool
    users: Part = msgspec.field(default_factory=Part)
    tasks: Part = msgspec.field(default_factory=Part)
    passwords: list[Row] = []
    ended_tokens: int = 0


def lines(report: Report) -> Iterator[str]:
    """The report as text."""
    verb = "would be added" if report.dry_run else "added"
    for what, part in (("users", report.users), ("tasks", report.tasks)):
        yield (
            f"{part.added} {what} {verb}; {part.present} were here already, {len(part.differing)} are here and differ, "
            f"{len(part.skipped)} skipped"
        )
    if report.ended_tokens:
        yield f"refresh tokens that were ended there and stay refused: {report.ended_tokens}"
    yield from _named("skipped user", report.users.skipped)
    yield from _named("skipped task", report.tasks.skipped)
    yield from _named("user stays as here", report.users.differing)
    yield from _named("task stays as here", report.tasks.differing)
    yield from _named("no login with a password", report.passwords)


def _named(what: str, rows: Sequence[Row]) -> Iterator[str]:
    for row in rows[:_NAMED_MAX]:
        yield one_line(f"{what}: {row.id}: {row.reason}")
    if len(rows) > _NAMED_MAX:
        yield f"{what}: and {len(rows) - _NAMED_MAX} more, which --json lists"
