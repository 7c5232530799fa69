"""Tasks in a file: JSON Lines, CSV, todo.txt. What is written is read again as it was, and other programs' files are read too."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import PurePath
from typing import Any, Final, NamedTuple
from urllib.parse import quote, unquote
from uuid import UUID

_COLUMNS: Final = ("uuid", "task", "description", "completed", "time_created", "time_modified")
_TRUE: Final = frozenset({"true", "1", "yes", "x", "done"})
_FALSE: Final = frozenset({"false", "0", "no", "", "open"})
_DATE: Final = r"\d{4}-\d{2}-\d{2} "
_TODO: Final = re.compile(rf"(?:(?P<done>x )(?:{_DATE}){{0,2}}|(?:{_DATE})?)(?P<text>.*)", re.DOTALL)
_LAST: Final = re.compile(r"(?:^|(?<= ))(uuid|description):(\S*)$")


class BadLine(ValueError):
    """A line that is no task."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(line, reason)
        self.line = line
        self.reason = reason


class Entry(NamedTuple):
    """A task of a file; ``uuid`` is ``None`` where the file has none, ``line`` counts from 1."""

    line: int
    task: str
    description: str
    completed: bool
    uuid: str | None


class Format(NamedTuple):
    """``write`` gives the pieces of a file; ``read`` raises BadLine."""

    name: str
    suffix: str
    write: Callable[[Iterable[dict[str, Any]]], Iterator[str]]
    read: Callable[[str], Iterator[Entry]]


def _write_json_lines(tasks: Iterable[dict[str, Any]]) -> Iterator[str]:
    for task in tasks:
        yield json.dumps(task, ensure_ascii=False) + "\n"


def _read_json_lines(text: str) -> Iterator[Entry]:
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            task = json.loads(line)
        except (ValueError, RecursionError):
            raise BadLine(number, "it is no JSON") from None
        if not isinstance(task, dict):
            raise BadLine(number, "a JSON object is expected")
        yield _entry(number, task)


def _write_csv(tasks: Iterable[dict[str, Any]]) -> Iterator[str]:
    file = io.StringIO(newline="")
    writer = csv.writer(file, lineterminator="\r\n")  # RFC 4180
    writer.writerow(_COLUMNS)
    for task in tasks:
        writer.writerow([str(task[name]).lower() if name == "completed" else task[name] for name in _COLUMNS])
        yield file.getvalue()
        file.seek(0)
        file.truncate()
    yield file.getvalue()


def _read_csv(text: str) -> Iterator[Entry]:
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        if "task" not in (reader.fieldnames or ()):
            raise BadLine(1, "the first line must name the columns, one of them `task`")
        for row in reader:
            completed = (row.get("completed") or "").strip().lower()
            if completed not in _TRUE | _FALSE:
                raise BadLine(reader.line_num, f"completed: true or false is expected, not {completed!r}")
            yield _entry(reader.line_num, {**row, "completed": completed in _TRUE})
    except csv.Error as error:
        raise BadLine(reader.line_num, f"it is no CSV: {error}") from None


def _write_todo(tasks: Iterable[dict[str, Any]]) -> Iterator[str]:
    """Times become days; a line break in a task's text becomes a blank. The description has no place there but a key of its own,
    in which it is percent-encoded."""
    for task in tasks:
        done = f"x {task['time_modified'][:10]} " if task["completed"] else ""
        text = " ".join(task["task"].split("\n")).replace("\r", " ")
        words = [text]
        if task["description"] or _LAST.search(text):
            words.append(f"description:{quote(task['description'])}")
        words.append(f"uuid:{task['uuid']}")
        yield f"{done}{task['time_created'][:10]} {' '.join(words)}\n"


def _read_todo(text: str) -> Iterator[Entry]:
    for number, line in enumerate(text.split("\n"), 1):
        line = line.rstrip("\r")
        if not line.strip():
            continue
        found = _TODO.fullmatch(line)
        assert found is not None  # any line is one
        task: dict[str, Any] = {"task": found["text"], "completed": found["done"] is not None}
        for key in ("uuid", "description"):
            last = _LAST.search(task["task"])
            if last is not None and last[1] == key:
                task[key] = unquote(last[2])
                task["task"] = task["task"][: last.start()].rstrip(" ")
        yield _entry(number, task)


def _entry(line: int, task: dict[str, Any]) -> Entry:
    """Checked as far as it needs no server. Raises BadLine."""
    text, description = task.get("task"), task.get("description")
    description = "" if description is None else description
    completed, uuid = task.get("completed", False), task.get("uuid") or None
    if not isinstance(text, str) or not text.strip():
        raise BadLine(line, "task: a text is expected")
    if not isinstance(description, str):
        raise BadLine(line, "description: a text is expected")
    if not isinstance(completed, bool):
        raise BadLine(line, "completed: true or false is expected")
    if uuid is not None:
        try:
            uuid = str(UUID(uuid))
        except (ValueError, AttributeError, TypeError):
            raise BadLine(line, "uuid: a UUID is expected") from None
    for name, value in (("task", text), ("description", description)):
        most = {"task": 255, "description": 10_000}[name]
        if len(value.strip()) > most:
            raise BadLine(line, f"{name}: no more than {most} characters are allowed")
        try:
            value.encode()
        except UnicodeEncodeError:  # JSON can name them
            raise BadLine(line, f"{name}: lone surrogates are no characters") from None
    return Entry(line, text, description, completed, uuid)


FORMATS: Final = (
    Format("jsonl", ".jsonl", _write_json_lines, _read_json_lines),
    Format("csv", ".csv", _write_csv, _read_csv),
    Format("todo.txt", ".txt", _write_todo, _read_todo),
)


def format_of(name: str | None, file: str) -> Format:
    """The format of this name, or else the one that the file's name ends like. Raises LookupError."""
    for each in FORMATS:
        if name == each.name or (name is None and PurePath(file).suffix.lower() == each.suffix):
            return each
    raise LookupError(file)
