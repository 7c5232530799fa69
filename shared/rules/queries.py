"""The rules of what a client may ask of the list: filters, order and page, checked and made into a ``TaskQuery``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from shared.errors import InvalidRequest
from shared.models import Task, TaskQuery
from shared.rules.fields import FieldError, as_integer, clean_boolean
from shared.rules.search_terms import search_terms

PAGE_MAX: Final = 1000
OFFSET_MAX: Final = 2**53  # what a number of JavaScript holds
# ``id`` is the order of creation: what clients of DRF ask for that know no other field.
ORDERING_FIELDS: Final = (*(field for field in Task.__struct_fields__ if field != "user_id"), "id")

_DIGITS: Final = re.compile(r"[0-9]{1,18}")


def clean_query(raw: Mapping[str, object]) -> TaskQuery:
    """A query from JSON values, or from a URL's strings.

    Raises:
        InvalidRequest: with ``key``, one of completed, search, ordering, limit, offset.
    """
    query: dict[str, Any] = {}
    if (completed := raw.get("completed")) is not None:
        try:
            query["completed"] = clean_boolean(completed)
        except FieldError as error:
            raise InvalidRequest(str(error), key="completed") from None
    if (search := raw.get("search")) is not None:
        query["search"] = search_terms(search)
    if (ordering := raw.get("ordering")) is not None:
        query["ordering"] = _ordering(ordering)
    if (limit := raw.get("limit")) is not None:
        query["limit"] = whole_number("limit", limit, 1, PAGE_MAX)
    if (offset := raw.get("offset")) is not None:
        query["offset"] = whole_number("offset", offset, 0, OFFSET_MAX)
    return TaskQuery(**query)


def _ordering(value: object) -> tuple[tuple[str, bool], ...]:
    fields = value.split(",", len(ORDERING_FIELDS)) if isinstance(value, str) else []
    named = [field for item in fields if (field := item.strip())]  # DRF, too, passes over what is empty
    pairs = tuple((field.removeprefix("-"), field.startswith("-")) for field in named)
    if (
        not pairs
        or len(pairs) > len(ORDERING_FIELDS)
        or any(name not in ORDERING_FIELDS for name, _ in pairs)
    ):
        raise InvalidRequest(
            f"Must be one of {', '.join(ORDERING_FIELDS)}, with - for descending.", key="ordering"
        )
    return pairs


def whole_number(key: str, value: object, low: int, high: int) -> int:
    """A number, or its decimal digits. Raises InvalidRequest."""
    if isinstance(value, str) and _DIGITS.fullmatch(value):
        value = int(value)
    value = as_integer(value)
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise InvalidRequest(f"Must be an integer from {low} to {high}.", key=key)
    return value
