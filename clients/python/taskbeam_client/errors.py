"""What a user of the client may have to catch.

``TaskbeamClientError``
├── ``LoggedOut``           the session is over; only a person, or a stored password, can begin another
├── ``ClientDefect``        the server refuses to speak with this client: going on would change nothing
├── ``Unreachable``         no gateway answers there now; an ``OSError``. The client goes on trying
├── ``ClientClosed``        the client was left before the write was done
├── ``QueueFull``           too many writes are waiting
├── ``ObserverTooSlow``     a stream of changes was not read fast enough
└── ``WriteFailed``         the server has not done a write, and will not
    ├── ``Conflict``            the task has moved on; ``task`` is what it is now
    ├── ``NotFound``            there is no such task
    ├── ``Invalid``             a field is bad; ``errors`` says which
    ├── ``Refused``             any other reason; ``code`` is the contract's
    ├── ``EarlierWriteFailed``  it was made on top of a write that failed
    └── ``AccountChanged``      it was made while another user was logged in

Being offline is no error: the client goes on trying, and writes wait. All of them can be copied and pickled.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from taskbeam_client.models import Task

# Each keeps its arguments as they are (``args``), by which exceptions are copied and pickled, and says them as a text.


class TaskbeamClientError(Exception):
    """Whatever this package raises on purpose."""


class LoggedOut(TaskbeamClientError):
    """The session is over: the token was revoked, or there is no new one."""


class ClientDefect(TaskbeamClientError):
    """The server refuses to speak with this client, or its answer is not understood (``__cause__``).

    Attributes:
        close_code: what the server closed with, if it did.
    """

    def __init__(self, reason: str, close_code: int | None = None) -> None:
        super().__init__(reason, close_code)
        self.reason = reason
        self.close_code = close_code

    def __str__(self) -> str:
        return self.reason if self.close_code is None else f"{self.reason} (close code {self.close_code})"


class Unreachable(TaskbeamClientError, OSError):
    """No gateway answers there now, or something else does.

    Attributes:
        perhaps_done: the request may have arrived.
    """

    def __init__(self, reason: str, *, perhaps_done: bool = False) -> None:
        super().__init__(reason)
        self.perhaps_done = perhaps_done


class ClientClosed(TaskbeamClientError):
    """The client was left before the write was done. If the write was on its way, nobody knows whether it was done."""


class QueueFull(TaskbeamClientError):
    """Too many writes wait. Nothing was queued."""


class ObserverTooSlow(TaskbeamClientError):
    """A stream of changes was not read fast enough, and has ended. A new one begins with a snapshot."""


class WriteFailed(TaskbeamClientError):
    """The server has not done a write, and will not. The classes below say why."""


class Conflict(WriteFailed):
    """The task has moved on.

    Attributes:
        task: what it is now; ``None`` where the server's history was replaced and has none.
    """

    def __init__(self, task: Task | None) -> None:
        super().__init__(task)
        self.task = task

    def __str__(self) -> str:
        return "The task has moved on."


class NotFound(WriteFailed):
    """This user has no such task.

    Attributes:
        task_id: its uuid.
    """

    def __init__(self, task_id: str) -> None:
        super().__init__(task_id)
        self.task_id = task_id

    def __str__(self) -> str:
        return f"There is no task {self.task_id}."


class Invalid(WriteFailed):
    """A field is bad.

    Attributes:
        errors: a list of texts for each bad field.
    """

    def __init__(self, errors: Mapping[str, list[str]]) -> None:
        super().__init__(errors)
        self.errors = errors

    def __str__(self) -> str:
        return "; ".join(f"{field}: {' '.join(texts)}" for field, texts in self.errors.items())


class Refused(WriteFailed):
    """Any other reason.

    Attributes:
        code: the server's word for it, ``limit_reached`` say.
        frame: the server's error frame.
    """

    def __init__(self, frame: Mapping[str, Any]) -> None:
        super().__init__(frame)
        self.code = str(frame.get("code"))
        self.frame = frame

    def __str__(self) -> str:
        return f"{self.code}: {self.frame.get('message')}"


class EarlierWriteFailed(WriteFailed):
    """It was made on top of a write that failed, whose error is the ``__cause__``. Nothing was sent."""


class AccountChanged(WriteFailed):
    """The token provider began to give tokens of another user. If the write was on its way, nobody knows whether it was
    done."""


def copy_to_raise(error: Exception) -> Exception:
    """A copy, to be raised: an exception that is raised again and again collects the frames of each time."""
    try:
        again = copy.copy(error)
    except Exception:  # noqa: BLE001 - a token provider's own error, which may not be made to be copied
        return error.with_traceback(None)
    again.__cause__ = error.__cause__
    return again
