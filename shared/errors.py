"""The errors that the services raise. How a transport reports them is not said here.

``TaskbeamError``
├── ``InvalidRequest``      a key is missing or malformed
├── ``ValidationFailed``    a field of a task or an account is invalid
├── ``NotFound``            no such task of this user
├── ``Conflict``            the task has changed since the given revision
├── ``LimitReached``        too many tasks
├── ``RegistrationClosed``  nobody may register here
├── ``Throttled``           too many attempts
├── ``Unavailable``         the database cannot be read or written now
│   └── ``FatalError``      for good: the process must exit at once
├── ``CredentialsRejected`` wrong username or password
└── ``TokenRejected``       the token is invalid, expired or revoked
    ├── ``TokenWithoutUser`` it names no user
    ├── ``UserGone``        its user was deleted
    └── ``UserInactive``    its user was disabled

Only ``rest_gateway/errors.py`` gives them HTTP statuses, and only ``ws_server/close_codes.py`` has close codes.
"""

from __future__ import annotations

from typing import ClassVar


class TaskbeamError(Exception):
    """Base of all errors that are reported to a caller.

    ``code`` is a stable identifier, ``message`` a sentence for people, ``extra`` further JSON keys.
    """

    code: ClassVar[str] = "error"

    def __init__(self, message: str, **extra: object) -> None:
        super().__init__(message)
        self.message = message
        self.extra = extra


class InvalidRequest(TaskbeamError):
    """A malformed request; ``key`` names the key that is wrong, where there is one."""

    code = "invalid_request"

    def __init__(self, detail: str, *, key: str | None = None) -> None:
        super().__init__("Invalid JSON DATA", detail=detail if key is None else f"{key}: {detail}")
        self.detail = detail
        self.key = key


class ValidationFailed(TaskbeamError):
    """Field errors in DRF's shape: ``{"task": ["This field is required."]}``."""

    code = "validation"

    def __init__(self, errors: dict[str, list[str]]) -> None:
        super().__init__("Validation failed", errors=errors)
        self.errors = errors

    @property
    def sentence(self) -> str:
        """All messages in one line."""
        return "; ".join(f"{field}: {' '.join(messages)}" for field, messages in self.errors.items())


class NotFound(TaskbeamError):
    """The user has no such task. Also for another user's task, so that nobody learns which ids exist."""

    code = "not_found"

    def __init__(self) -> None:
        super().__init__("Task not Found!")


class Conflict(TaskbeamError):
    """The given revision is not the current one; ``task`` is the current task, encodable as JSON."""

    code = "conflict"

    def __init__(self, task: object) -> None:
        super().__init__("The task has changed since the revision that was given.", task=task)


class LimitReached(TaskbeamError):
    """The user already has the maximum number of tasks."""

    code = "limit_reached"

    def __init__(self, limit: int) -> None:
        super().__init__(f"You cannot have more than {limit} tasks.", limit=limit)


class RegistrationClosed(TaskbeamError):
    """The setting ``allow_registration`` is false."""

    code = "registration_closed"

    def __init__(self) -> None:
        super().__init__("Registration is closed.")


class Throttled(TaskbeamError):
    """Too many attempts; ``retry_after`` is in seconds."""

    code = "rate_limited"

    def __init__(self, retry_after: float) -> None:
        super().__init__("Too many requests.", retry_after=retry_after)
        self.retry_after = retry_after


class Unavailable(TaskbeamError):
    """The database cannot be read or written now; ``retry_after`` is in seconds."""

    code = "unavailable"

    def __init__(self, reason: str, retry_after: int = 2) -> None:
        super().__init__("The service is temporarily unavailable, try again later.", retry_after=retry_after)
        self.reason = reason
        self.retry_after = retry_after


class FatalError(Unavailable):
    """This process must write nothing more, and end by ``os._exit``.

    The interpreter's orderly end would close the database's connections, which may destroy what is there now.
    ``shared.store.sqlite.open_files`` raises it, ``shared.process`` ends the process.
    """


class CredentialsRejected(TaskbeamError):
    """Wrong username or password, or a disabled account: the same message for all (simplejwt's)."""

    code = "no_active_account"

    def __init__(self) -> None:
        super().__init__("No active account found with the given credentials")


class TokenRejected(TaskbeamError):
    """The token is not accepted; ``message`` is simplejwt's message for the reason."""

    code = "token_not_valid"


class TokenWithoutUser(TokenRejected):
    """A valid token that names no user."""

    def __init__(self) -> None:
        super().__init__("Token contained no recognizable user identification")


class UserGone(TokenRejected):
    """A valid token of a user that was deleted."""

    code = "user_not_found"

    def __init__(self) -> None:
        super().__init__("User not found")


class UserInactive(TokenRejected):
    """A valid token of a user that was disabled."""

    code = "user_inactive"

    def __init__(self) -> None:
        super().__init__("User is inactive")
