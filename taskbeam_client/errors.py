"""What a user of the client may have to catch.

``TaskbeamClientError``
├── ``LoggedOut``           the session is over; only a person, or a stored password, can begin another
├── ``ClientDefect``        the server refuses to speak with this client: going on would change nothing
├── ``ClientClosed``        the client was left before the write was done
├── ``QueueFull``           too many writes are waiting
├── ``ObserverTooSlow``     a stream of changes was not read fast enough
└── ``WriteFailed``         the server has not done a write, and will not
    ├── ``Conflict``            the task has moved on; ``task`` is what it is now
    ├── ``NotFound``            there is no such task
    ├── ``Invalid``             a field is bad; ``errors`` says which
    ├── ``Refused``             any other reason; ``code`` is the contract's
    └── ``EarlierWriteFailed``  it was made on top of a write that failed

Being offline is no error: the client goes on trying, and writes wait.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from taskbeam_client.models import Task


class TaskbeamClientError(Exception):
    """Whatever this package raises on purpose."""


class LoggedOut(TaskbeamClientError):
    """The token was revoked, or no new one is to be had."""


class ClientDefect(TaskbeamClientError):
    """``close_code`` is the one that the server closed with, if it did."""

    def __init__(self, reason: str, close_code: int | None = None) -> None:
        super().__init__(reason if close_code is None else f"{reason} (close code {close_code})")
        self.close_code = close_code


class ClientClosed(TaskbeamClientError):
    """Whether the server has done the write is not known if it was on its way, else it has not."""


class QueueFull(TaskbeamClientError):
    """Nothing was queued."""


class ObserverTooSlow(TaskbeamClientError):
    """The stream has ended; a new one begins with a snapshot."""


class WriteFailed(TaskbeamClientError):
    """The base of all reasons."""


class Conflict(WriteFailed):
    """``task`` is the current task; ``None`` where the server's history was replaced and it has none."""

    def __init__(self, task: Task | None) -> None:
        super().__init__("The task has moved on.")
        self.task = task


class NotFound(WriteFailed):
    def __init__(self, task_id: str) -> None:
        super().__init__(f"There is no task {task_id}.")
        self.task_id = task_id


class Invalid(WriteFailed):
    """``errors`` has a list of texts for each bad field."""

    def __init__(self, errors: Mapping[str, list[str]]) -> None:
        super().__init__("; ".join(f"{field}: {' '.join(texts)}" for field, texts in errors.items()))
        self.errors = errors


class Refused(WriteFailed):
    """``frame`` is the server's error frame."""

    def __init__(self, frame: Mapping[str, Any]) -> None:
        super().__init__(f"{frame.get('code')}: {frame.get('message')}")
        self.code = str(frame.get("code"))
        self.frame = frame


class EarlierWriteFailed(WriteFailed):
    """``__cause__`` is the error of the earlier one. Nothing was sent."""
