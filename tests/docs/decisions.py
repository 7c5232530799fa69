"""The records of decisions, ``docs/explanation/decisions/NNNN-….md``."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import Final, NamedTuple

from tests.support.processes import ROOT

FOLDER: Final = ROOT / "docs/explanation/decisions"
_FORM: Final = re.compile(
    r"# (?P<number>\d{4}): (?P<title>[^\n]+)\n\n(?P<date>\d{4}-\d\d-\d\d), "
    r"(?P<status>in force|rejected|replaced by \[\d{4}\]\([^)]+\))\n\n"
    r"\*\*Context\.\*\* .+\n\n\*\*Decision\.\*\* .+\n\n\*\*Consequences\.\*\* .+\n",
    re.DOTALL,
)


class Record(NamedTuple):
    """``number`` is from the title; the file's name begins with the same."""

    file: str
    number: int
    title: str
    date: date
    status: str


def read(path: Path) -> Record:
    """Read one.

    Raises:
        ValueError: the page has not the form of a record.
    """
    if (found := _FORM.match(path.read_text())) is None:
        raise ValueError(f"{path.name} has not the form of a record")
    return Record(
        path.name, int(found["number"]), found["title"], date.fromisoformat(found["date"]), found["status"]
    )


def records() -> list[Record]:
    """All, by their files' names."""
    return [read(path) for path in sorted(FOLDER.glob("*.md")) if path.name != "README.md"]
