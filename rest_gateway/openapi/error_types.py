"""Bodies of errors as types, for the document; ``rest_gateway.errors`` makes them. Tests check every answer that they see."""

from __future__ import annotations

from typing import Literal

from msgspec import UNSET, Struct, UnsetType

from shared.api_types import FieldErrors
from shared.models import Task


class Detail(Struct):
    """What was wrong, in a sentence."""

    detail: str


class WrongToken(Struct):
    """As simplejwt's."""

    token_class: str
    token_type: str
    message: str


class Unauthorized(Struct):
    """There is no ``code`` where no token was sent, ``messages`` where the access token is not valid."""

    detail: str
    code: (
        Literal[
            "bad_authorization_header",
            "token_not_valid",
            "user_not_found",
            "user_inactive",
            "no_active_account",
        ]
        | UnsetType
    ) = UNSET
    messages: list[WrongToken] | UnsetType = UNSET


class LimitReached(Struct):
    """The user has as many tasks as a user may have."""

    detail: str
    code: Literal["limit_reached"]
    limit: int


class ConditionFailed(Struct):
    """``task`` is the task as it is now."""

    detail: str
    code: Literal["conflict"]
    task: Task


class BatchRefused(Struct):
    """Nothing was written. ``op`` is the index of the first bad operation."""

    detail: str
    code: Literal["validation", "invalid_request", "not_found", "conflict", "limit_reached"]
    op: int | UnsetType = UNSET
    errors: FieldErrors | UnsetType = UNSET
    task: Task | UnsetType = UNSET
    limit: int | UnsetType = UNSET


class Defect(Struct):
    """The server's log has the same ``ref``."""

    detail: str
    ref: str
