"""Tasks of a file become tasks of the user, in batches that may be sent again: each has its uuid, and one that is there stays
as it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, NamedTuple
from uuid import UUID, uuid5

from taskbeam.errors import CommandError
from taskbeam.remote.api import Api, field_errors, not_understood, refusal
from taskbeam.remote.task_files import Entry

_NAMESPACE: Final = UUID("6f0f4a86-2c0e-5d55-9f0c-6f1d6d3c8a11")
_MOST_OPERATIONS: Final = 100  # of a batch, says the contract
_MOST_LETTERS: Final = 40_000  # of a batch, to keep well below MAX_MESSAGE_BYTES


class Counts(NamedTuple):
    """``present``: tasks that were there already."""

    created: int
    present: int


def with_uuids(entries: Sequence[Entry], user_id: int) -> list[Entry]:
    """A task without a uuid gets one that the same task gets each time: the second of two equal ones another than the
    first."""
    seen: dict[tuple[str, str], int] = {}
    named = []
    for entry in entries:
        if entry.uuid is None:
            content = entry.task.strip(), entry.description.strip()
            seen[content] = seen.get(content, 0) + 1
            name = "\0".join((str(user_id), *content, str(seen[content])))
            entry = entry._replace(uuid=str(uuid5(_NAMESPACE, name)))
        named.append(entry)
    return named


def batches(entries: Sequence[Entry]) -> Iterator[list[Entry]]:
    """As large as the server takes them."""
    batch: list[Entry] = []
    letters = 0
    for entry in entries:
        size = len(entry.task) + len(entry.description)
        if batch and (len(batch) == _MOST_OPERATIONS or letters + size > _MOST_LETTERS):
            yield batch
            batch, letters = [], 0
        batch.append(entry)
        letters += size
    if batch:
        yield batch


def import_tasks(api: Api, file: str, entries: Sequence[Entry], on_batch: Callable[[int], object]) -> Counts:
    """Raises CommandError that names the line; the batches before it stay.

    Args:
        on_batch: called with the number of tasks of each batch that is done.
    """
    created = present = 0
    for batch in batches(with_uuids(entries, api.login.user_id)):
        answer = api.ask("POST", "/batch/", {"ops": [_operation(entry) for entry in batch]})
        if answer.status != 200:
            reason = refusal(api.url, answer).message
            if isinstance(answer.body, dict):
                if isinstance(errors := answer.body.get("errors"), dict):
                    reason = field_errors(errors)
                if isinstance(op := answer.body.get("op"), int) and 0 <= op < len(batch):
                    reason = f"line {batch[op].line}: {reason}"
            before = created + present
            raise CommandError(
                f"{file}: {reason} ({before} tasks of the file are there; the import may be run again.)"
            )
        match answer.body:
            case {"results": list(results)}:
                replayed = sum(isinstance(result, dict) and "replayed" in result for result in results)
            case _:
                raise not_understood(api.url)
        present += replayed
        created += len(batch) - replayed
        on_batch(len(batch))
    return Counts(created, present)


def _operation(entry: Entry) -> dict[str, Any]:
    data = {
        "uuid": entry.uuid,
        "task": entry.task,
        "description": entry.description,
        "completed": entry.completed,
    }
    return {"mode": "create", "data": data}
