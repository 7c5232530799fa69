"""A pure checker: whether everything that all clients saw is consistent. It is tested on damaged histories."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from taskbeam_client import Change, Event, Snapshot, Task

Outcome = Literal["done", "refused", "unknown"]


@dataclass
class Attempt:
    """A write and its outcome. ``text``: the description that it sets, unique.

    ``rev``: the revision that an update or a delete expects.
    """

    mode: str
    task_id: str
    text: str
    outcome: Outcome = "unknown"
    rev: int | None = None


@dataclass
class Device:
    """One client of a device: the events of its stream, and its copy at the end, if it ran until then."""

    name: str
    events: list[Event] = field(default_factory=list)
    seq: int | None = None
    tasks: list[Task] | None = None


@dataclass
class History:
    """Everything seen of one user. ``log``: read over REST. ``over_websocket``, ``over_rest``: the tasks at the end."""

    log: list[Change] = field(default_factory=list)
    devices: list[Device] = field(default_factory=list)
    attempts: list[Attempt] = field(default_factory=list)
    batches: list[list[Attempt]] = field(default_factory=list)
    seq: int = 0
    over_websocket: list[Task] = field(default_factory=list)
    over_rest: list[Task] = field(default_factory=list)


def problems(history: History) -> list[str]:
    """All inconsistencies; empty for a valid history."""
    seqs = [change.seq for change in history.log]
    if seqs != list(range(1, history.seq + 1)):
        return [f"the log is not 1 to {history.seq}, without a gap: {_first_odd(seqs)}"]
    return [
        *_problems_of_the_log(history.log),
        *_problems_of_the_end(history),
        *(problem for device in history.devices for problem in _problems_of_a_device(device, history)),
        *_problems_of_attempts(history),
    ]


def _first_odd(seqs: Sequence[int]) -> str:
    for place, seq in enumerate(seqs, 1):
        if seq != place:
            return f"at place {place} there is {seq}"
    return f"it ends at {len(seqs)}"


def _problems_of_the_log(log: Sequence[Change]) -> Iterator[str]:
    """A task's revisions increase by one, from creation to deletion."""
    revs: dict[str, int] = {}
    for change in log:
        before = revs.pop(change.task_id, None)
        if (change.mode == "create") != (before is None):
            yield f"seq {change.seq}: {change.mode} of a task that was {'there' if before else 'not there'}"
        if change.task is not None:
            if change.task.rev != (before or 0) + 1:
                yield f"seq {change.seq}: revision {change.task.rev} after {before}"
            revs[change.task_id] = change.task.rev


def fold(log: Sequence[Change]) -> list[Task]:
    """The tasks after these changes, in the order of ``all``."""
    tasks: dict[str, Task] = {}
    for change in log:
        if change.task is None:
            tasks.pop(change.task_id, None)
        else:
            tasks[change.task_id] = change.task
    return sorted(tasks.values(), key=lambda task: task.time_created)


def _problems_of_the_end(history: History) -> Iterator[str]:
    expected = fold(history.log)
    for name, tasks in (("WebSocket", history.over_websocket), ("REST", history.over_rest)):
        if tasks != expected:
            yield f"the tasks over {name} are not what the log says: {_difference(tasks, expected)}"


def _difference(tasks: Sequence[Task], expected: Sequence[Task]) -> str:
    odd = set(tasks) ^ set(expected)
    return f"{len(odd)} differ, {sorted(task.uuid for task in odd)[:4]}" if odd else "the order differs"


def _problems_of_a_device(device: Device, history: History) -> Iterator[str]:
    seq: int | None = None
    for event in device.events:
        if isinstance(event, Snapshot):
            if seq is not None:
                yield f"{device.name}: a second snapshot, at {event.seq} after {seq}"
            if list(event.tasks) != fold(history.log[: event.seq]):
                yield f"{device.name}: its snapshot is not the state at {event.seq}"
            seq = event.seq
            continue
        if seq is None or event.seq != seq + 1:
            yield f"{device.name}: saw {event.seq} after {seq}"
        elif event.seq > history.seq or event != history.log[event.seq - 1]:
            yield f"{device.name}: what it saw at {event.seq} is not in the log"
        seq = event.seq
    if device.tasks is not None:
        if not (seq == device.seq == history.seq):
            yield f"{device.name}: its copy is at {device.seq}, its stream at {seq}, the log at {history.seq}"
        if device.tasks != fold(history.log):
            difference = _difference(device.tasks, fold(history.log))
            yield f"{device.name}: its copy is not what the log says: {difference}"


_ALLOWED: Mapping[Outcome, tuple[int, ...]] = {"done": (1,), "refused": (0,), "unknown": (0, 1)}


def _problems_of_attempts(history: History) -> Iterator[str]:
    written = Counter(_key(change) for change in history.log)
    done_to: dict[tuple[str, str, str], int] = {}
    revs: dict[str, int] = {}
    for change in history.log:
        done_to[_key(change)] = revs.get(change.task_id, 0)
        revs[change.task_id] = change.task.rev if change.task else 0
    for attempt in history.attempts:
        count = written[_attempted(attempt)]
        if attempt.mode == "delete" and attempt.outcome == "refused":
            continue  # another device's delete of the task looks the same
        if count not in _ALLOWED[attempt.outcome]:
            yield f"{attempt} is in the log {count} times"
        elif attempt.outcome == "done" and attempt.rev not in (None, done_to[_attempted(attempt)]):
            yield f"{attempt} was done to revision {done_to[_attempted(attempt)]}"
    seqs_of: dict[tuple[str, str, str], int] = defaultdict(int)
    for change in history.log:
        seqs_of[_key(change)] = change.seq
    for batch in history.batches:
        seqs = [seqs_of[_attempted(attempt)] for attempt in batch]
        if any(seqs) and seqs != list(range(seqs[0], seqs[0] + len(seqs))):
            yield f"a batch is in the log in pieces: {seqs}"


def _key(change: Change) -> tuple[str, str, str]:
    return change.mode, change.task_id, "" if change.task is None else change.task.description


def _attempted(attempt: Attempt) -> tuple[str, str, str]:
    return attempt.mode, attempt.task_id, "" if attempt.mode == "delete" else attempt.text
