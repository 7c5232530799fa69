"""How a user names a task: by its number in the last list, or by the beginning or the end of its uuid.

The uuids that a server gives begin with the time, so tasks of one minute begin alike; it is their ends that differ.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final
from uuid import UUID

import click
from click.shell_completion import CompletionItem

from taskbeam.errors import CommandError
from taskbeam.output import one_line
from taskbeam.remote.api import Api, Task
from taskbeam.remote.logins import Logins
from taskbeam.remote.private_files import configuration_folder, read_json, write_json

_LEAST_LETTERS: Final = 4  # of a uuid: a number that the last list does not have is no task
_MOST_DIGITS: Final = 5  # of a number
_CANDIDATES: Final = 5
_HELP: Final = "Say its number in the last `taskbeam ls`, or four or more letters of its id."


def _last_path() -> Path:
    return configuration_folder() / "last_list.json"


def remember(url: str, user_id: int, tasks: Sequence[Task]) -> None:
    """Number these tasks, from 1 on."""
    listed = [[task["uuid"], task["task"]] for task in tasks]
    lists = {**read_json(_last_path()), url: {"user_id": user_id, "tasks": listed}}
    write_json(_last_path(), lists)


def _remembered(url: str, user_id: int) -> list[tuple[str, str]]:
    match read_json(_last_path()).get(url):
        case {"user_id": of, "tasks": list(tasks)} if of == user_id:
            return [(uuid, text) for uuid, text in tasks]
    return []


def short_names(uuids: Sequence[str]) -> list[str]:
    """An end of each that no other of them has, and that is no number of a list."""
    taken: dict[str, int] = {}
    for uuid in uuids:
        for length in range(_LEAST_LETTERS, 13):
            taken[uuid[-length:]] = taken.get(uuid[-length:], 0) + 1
    return [_short_name(uuid, taken) for uuid in uuids]


def _short_name(uuid: str, taken: dict[str, int]) -> str:
    for length in range(_LEAST_LETTERS, 13):
        end = uuid[-length:]
        if taken[end] == 1 and (length > _MOST_DIGITS or not end.isdigit()):
            return end
    return uuid


def find(api: Api, names: Iterable[str]) -> list[str]:
    """The uuids, each once. Raises CommandError for a name that no task has, or that several have."""
    finder = _Finder(api)
    return list(dict.fromkeys(finder.find(name.lower()) for name in names))


class _Finder:
    def __init__(self, api: Api) -> None:
        self._api = api
        self._last = _remembered(api.url, api.login.user_id)
        self._all: list[Task] | None = None

    def find(self, name: str) -> str:
        if re.fullmatch(r"[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", name):
            return str(UUID(name))
        if re.fullmatch(rf"[1-9][0-9]{{,{_MOST_DIGITS - 1}}}", name) and int(name) <= len(self._last):
            return self._last[int(name) - 1][0]
        is_part = re.fullmatch(rf"[0-9a-f-]{{{_LEAST_LETTERS},}}", name)
        found = self._with_part(name) if is_part else []
        if len(found) == 1:
            uuid: str = found[0]["uuid"]
            return uuid
        if not found:
            raise CommandError(f"There is no task {one_line(name)!r}. {_HELP}")
        shown = "".join(f"\n  {task['uuid']}  {one_line(task['task'])[:60]}" for task in found[:_CANDIDATES])
        more = f"\n  and {len(found) - _CANDIDATES} more" if len(found) > _CANDIDATES else ""
        raise CommandError(f"{name!r} may be any of {len(found)} tasks:{shown}{more}")

    def _with_part(self, part: str) -> list[Task]:
        if self._all is None:
            self._all, _ = self._api.tasks()
        return [task for task in self._all if task["uuid"].startswith(part) or task["uuid"].endswith(part)]


class TaskName(click.ParamType[str]):
    """Completes, without a word to the server, from the last list."""

    name = "task"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        try:
            login = Logins().get(ctx.params.get("url"))
            last = _remembered(login.url, login.user_id)
        except CommandError:
            return []
        ends = short_names([uuid for uuid, _ in last])
        named = [
            (name, one_line(text))
            for end, (uuid, text) in zip(ends, last, strict=True)
            for name in (end, uuid)
        ]
        shown = [item for item in named if item[0].startswith(incomplete)]
        if not incomplete:
            shown = named[::2]
        return [CompletionItem(name, help=text) for name, text in shown]
