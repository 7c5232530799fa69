"""What is read from a Django application. Values are as the driver gives them; SQLite's have no types of their own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Protocol


class UserRow(NamedTuple):
    """A row of ``auth_user``, or of a user model with the same columns."""

    id: object
    username: object
    password: object
    is_active: object
    date_joined: object


class TaskRow(NamedTuple):
    """A row of the task model."""

    uuid: object
    user_id: object
    task: object
    description: object
    completed: object
    time_created: object
    time_modified: object


class EndedTokenRow(NamedTuple):
    """A refresh token that simplejwt's blacklist has."""

    jti: object
    user_id: object
    issued: object
    expires: object


class Counts(NamedTuple):
    """How many rows there are."""

    users: int
    tasks: int


class Source(Protocol):
    """One snapshot of the application's database. All methods block."""

    def counts(self) -> Counts: ...
    def users(self) -> Iterator[UserRow]: ...  # by id
    def tasks(self) -> Iterator[TaskRow]: ...  # by time_created
    def ended_tokens(self) -> Iterator[EndedTokenRow]: ...  # none where the application has no blacklist


class SourceError(Exception):
    """The application's database cannot be read; the message says why, in one line."""
