"""What a command says of the tasks that it has written."""

from __future__ import annotations

from taskbeam.remote.api import Task
from taskbeam.remote.text import one_line, say, say_json


def report(done: str, task: Task, *, as_json: bool) -> None:
    """Name the task by the end of its uuid, which names it in other commands too."""
    if as_json:
        say_json(task)
    else:
        say(f"{done} {task['uuid'][-8:]}  {one_line(task['task'])}")
