"""What clients may send: the text of a frame to a request, without any I/O."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from shared.errors import InvalidRequest
from shared.models import Operation, TaskQuery
from shared.rules.fields import as_integer
from shared.rules.queries import clean_query
from shared.rules.requests import clean_operations, request_data, request_rev, request_task_id
from shared.strict_json import decode

ID_MAX_LENGTH: Final = 64
ID_MIN: Final = -(2**63)  # an integer of 64 bits, with a sign or without
ID_MAX: Final = 2**64 - 1
SINCE_MAX: Final = 2**63 - 1  # SQLite's

_encode = msgspec.json.Encoder().encode


class Envelope(msgspec.Struct, frozen=True, gc=False):
    """What an answer repeats of its request. ``id`` is its JSON, empty where there was none."""

    id: bytes = b""
    mode: str | None = None
    task_id: str | None = None


NO_ENVELOPE: Final = Envelope()


class Auth(msgspec.Struct, frozen=True):
    """``token`` is ``None`` where there was none."""

    envelope: Envelope
    token: str | None
    push: bool


class All(msgspec.Struct, frozen=True):
    """``paged``: the answer has the count of matches too."""

    envelope: Envelope
    query: TaskQuery
    paged: bool


class Create(msgspec.Struct, frozen=True):
    """``data`` as the client sent it: the service checks it."""

    envelope: Envelope
    data: dict[str, object]


class Read(msgspec.Struct, frozen=True):
    """``task_id`` is in its canonical form."""

    envelope: Envelope
    task_id: str


class Update(msgspec.Struct, frozen=True):
    """``data`` as the client sent it; ``rev``: only if the task still has this revision."""

    envelope: Envelope
    task_id: str
    data: dict[str, object]
    rev: int | None


class Delete(msgspec.Struct, frozen=True):
    """``rev``: only if the task still has this revision."""

    envelope: Envelope
    task_id: str
    rev: int | None


class Batch(msgspec.Struct, frozen=True):
    """All of them or none."""

    envelope: Envelope
    operations: list[Operation]


class Sync(msgspec.Struct, frozen=True):
    """The changes after ``since``."""

    envelope: Envelope
    epoch: str
    since: int


class Ping(msgspec.Struct, frozen=True):
    """The answer says the user's ``seq``."""

    envelope: Envelope


Command = All | Create | Read | Update | Delete | Batch | Sync | Ping
Request = Auth | Command


class BadRequest(Exception):
    """A JSON document that is no request; ``envelope`` is what could be read of it. ``is_auth``: it is meant as an
    auth message."""

    def __init__(self, error: InvalidRequest, envelope: Envelope, *, is_auth: bool = False) -> None:
        super().__init__(error.detail)
        self.error = error
        self.envelope = envelope
        self.is_auth = is_auth


def parse(text: str) -> Request:
    """The request in a text frame.

    Raises:
        MalformedJSON: the text is no JSON.
        BadRequest: the document is no request.
    """
    document = decode(text)
    if not isinstance(document, dict):
        raise BadRequest(InvalidRequest("Must be a JSON object."), NO_ENVELOPE)
    envelope = NO_ENVELOPE
    try:
        request_id = _request_id(document["id"]) if "id" in document else b""
        mode, task_id = document.get("mode"), document.get("task_id")
        envelope = Envelope(
            request_id, mode if isinstance(mode, str) else None, task_id if isinstance(task_id, str) else None
        )
        if document.get("type") == "auth":
            return _auth(document, envelope)
        parser = _PARSERS.get(mode) if isinstance(mode, str) else None
        if parser is None:
            raise InvalidRequest(f"Must be one of {', '.join(_PARSERS)}.", key="mode")
        return parser(document, envelope)
    except InvalidRequest as error:
        raise BadRequest(error, envelope, is_auth=document.get("type") == "auth") from None


def _request_id(request_id: object) -> bytes:
    if request_id is None:
        return b""
    if isinstance(request_id, bool) or not isinstance(request_id, (str, int)):
        raise InvalidRequest("Must be a string or an integer.", key="id")
    if isinstance(request_id, int) and not ID_MIN <= request_id <= ID_MAX:
        raise InvalidRequest("Must be an integer of 64 bits.", key="id")
    if isinstance(request_id, str) and len(request_id) > ID_MAX_LENGTH:
        raise InvalidRequest(f"Must have no more than {ID_MAX_LENGTH} characters.", key="id")
    return _encode(request_id)


def _auth(document: dict[str, Any], envelope: Envelope) -> Auth:
    token, push = document.get("token"), document.get("push", True)
    if not isinstance(push, bool):
        raise InvalidRequest("Must be a boolean.", key="push")
    if token is not None and not isinstance(token, str):
        token = str(type(token))  # something is there, and it is not a token
    return Auth(envelope, token or None, push)


def _all(document: dict[str, Any], envelope: Envelope) -> All:
    for key in ("completed", "search", "ordering", "limit", "offset"):
        if key in document and document[key] is None:
            raise InvalidRequest("May not be null.", key=key)
    for key, kind in (("completed", bool), ("limit", int), ("offset", int)):
        if key in document and not isinstance(as_integer(document[key]), kind):
            raise InvalidRequest("Must be a boolean." if kind is bool else "Must be an integer.", key=key)
    return All(envelope, clean_query(document), paged="limit" in document or "offset" in document)


def _create(document: dict[str, Any], envelope: Envelope) -> Create:
    return Create(envelope, request_data(document))


def _read(document: dict[str, Any], envelope: Envelope) -> Read:
    return Read(envelope, request_task_id(document))


def _update(document: dict[str, Any], envelope: Envelope) -> Update:
    return Update(envelope, request_task_id(document), request_data(document), request_rev(document))


def _delete(document: dict[str, Any], envelope: Envelope) -> Delete:
    return Delete(envelope, request_task_id(document), request_rev(document))


def _batch(document: dict[str, Any], envelope: Envelope) -> Batch:
    return Batch(envelope, clean_operations(document.get("ops")))


def _sync(document: dict[str, Any], envelope: Envelope) -> Sync:
    epoch, since = document.get("epoch"), as_integer(document.get("since"))
    if not isinstance(epoch, str):
        raise InvalidRequest("Must be a string.", key="epoch")
    if isinstance(since, bool) or not isinstance(since, int) or not 0 <= since <= SINCE_MAX:
        raise InvalidRequest("Must be an integer from 0.", key="since")
    return Sync(envelope, epoch, since)


def _ping(document: dict[str, Any], envelope: Envelope) -> Ping:
    return Ping(envelope)


_PARSERS: Final[dict[str, Callable[[dict[str, Any], Envelope], Command]]] = {
    "all": _all,
    "create": _create,
    "read": _read,
    "update": _update,
    "delete": _delete,
    "batch": _batch,
    "sync": _sync,
    "ping": _ping,
}
