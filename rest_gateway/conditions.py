"""Conditional requests (RFC 9110, section 13) on a task, whose entity tag is its revision: ``"3"``."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, NamedTuple, TypeVar

import msgspec
from aiohttp import hdrs, web

from rest_gateway.errors import HttpError
from rest_gateway.keys import TASKS, TOKEN
from shared.errors import Conflict
from shared.models import StoredTask

T = TypeVar("T")

_TRIES: Final = 10
# RFC 9110, sections 5.6.1 and 8.8.3: an entity tag or nothing, and a comma or the end.
_ITEM: Final = re.compile(r'[ \t]*(?:(?:W/)?"([!\x23-\x7e\x80-\U0010ffff]*)"[ \t]*)?(?:,|$)')
# A revision, as it was sent or as a proxy that compresses has written it: "3-gzip", "3;gzip", "3--gzip", "3-br".
_REVISION: Final = re.compile(
    r"(0|[1-9][0-9]{0,17})(?:(?:--?|[;:])(?:x-)?(?:gzip|br|deflate|zstd|compress))?", re.IGNORECASE
)


class Tags(NamedTuple):
    """A list of entity tags, or ``*``. ``revisions`` are those among them that can be ours, in decimal."""

    is_any: bool
    revisions: frozenset[str]

    def match(self, task: StoredTask) -> bool:
        """A tag names a revision, not the bytes that were sent: what a proxy made weak still names it."""
        return self.is_any or str(task.rev) in self.revisions


def parse_tags(lines: Sequence[str]) -> Tags | None:
    """A header's lines, which are one list. ``None`` where it is malformed, or names nothing."""
    text = ",".join(lines)
    if text.strip(" \t") == "*":
        return Tags(is_any=True, revisions=frozenset())
    tags: list[str] = []
    position = 0
    while position < len(text):
        item = _ITEM.match(text, position)
        if item is None:
            return None
        if item[1] is not None:
            tags.append(item[1])
        position = item.end()
    revisions = frozenset(found[1] for tag in tags if (found := _REVISION.fullmatch(tag)))
    return Tags(is_any=False, revisions=revisions) if tags else None


def is_known(request: web.Request, task: StoredTask) -> bool:
    """Whether the client of a GET has this revision already: 304. A malformed condition is none."""
    lines = request.headers.getall(hdrs.IF_NONE_MATCH, None)
    if lines is None:
        return False
    tags = parse_tags(lines)
    return tags is not None and tags.match(task)


async def write_conditionally(
    request: web.Request, task_id: str, write: Callable[[int | None], Awaitable[T]]
) -> T:
    """Write where If-Match and If-None-Match hold.

    Args:
        task_id: of the task that is written.
        write: gets the revision that the task must have, or ``None`` where any will do.

    Raises:
        NotFound: it comes before any condition.
        HttpError: 412, a condition does not hold, or is malformed: what was meant is not known, so nothing is written.
        Conflict: 412, others have written all the time meanwhile.
    """
    if_match = request.headers.getall(hdrs.IF_MATCH, None)
    if_none_match = request.headers.getall(hdrs.IF_NONE_MATCH, None)
    if if_match is None and if_none_match is None:
        return await write(None)
    for tries_left in reversed(range(_TRIES)):
        task = await request.app[TASKS].read(request[TOKEN].user_id, task_id)
        _check(hdrs.IF_MATCH, if_match, task, expected=True)
        _check(hdrs.IF_NONE_MATCH, if_none_match, task, expected=False)
        try:
            return await write(task.rev)
        except Conflict:  # another write came between; the conditions may hold of its task as well
            if not tries_left:
                raise
    raise AssertionError("unreachable")


def _check(header: str, lines: Sequence[str] | None, task: StoredTask, *, expected: bool) -> None:
    if lines is None:
        return
    tags = parse_tags(lines)
    if tags is None:
        raise _failed(f"{header} must be * or a list of entity tags in double quotes.", task)
    if tags.match(task) is not expected:
        raise _failed(f"The task's revision does not meet {header}.", task)


def _failed(detail: str, task: StoredTask) -> HttpError:
    return HttpError(412, detail, code="conflict", task=msgspec.Raw(task.json))
