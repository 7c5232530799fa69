"""Pages of a list, as DRF's LimitOffsetPagination and PageNumberPagination give them; both have the same body."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple, Protocol
from urllib.parse import urlencode

import msgspec
from aiohttp import web

from rest_gateway.errors import HttpError
from rest_gateway.keys import FORWARDED
from rest_gateway.parameters import parse_parameters
from shared.errors import InvalidRequest
from shared.models import TaskPage
from shared.rules.queries import PAGE_MAX, whole_number

PAGE_SIZE: Final = 50
LAST: Final = 0  # the number of a page of which it is not known yet how many come before it
_NUMBER_MAX: Final = 2**53 // PAGE_MAX
_encode: Final = msgspec.json.Encoder().encode
_Changes = Mapping[str, object]
"""What a link changes in the query of the request; ``None`` leaves a parameter out."""


class Pagination(Protocol):
    """Which part of the list a request asks for, and what its neighbours are asked for with."""

    @property
    def limit(self) -> int: ...
    @property
    def offset(self) -> int: ...
    def next(self) -> _Changes: ...
    def previous(self) -> _Changes: ...


class LimitOffset(NamedTuple):
    """``limit`` and ``offset``."""

    limit: int
    offset: int

    def next(self) -> _Changes:
        return {"limit": self.limit, "offset": self.offset + self.limit}

    def previous(self) -> _Changes:
        return {"limit": self.limit, "offset": max(self.offset - self.limit, 0) or None}


class PageNumber(NamedTuple):
    """``page``, from 1 (``LAST`` until it is known how many there are), and ``page_size``."""

    number: int
    limit: int

    @property
    def offset(self) -> int:
        return (self.number - 1) * self.limit

    def last_of(self, count: int) -> PageNumber:
        """The last page of so many tasks; of none, the first."""
        return self._replace(number=max(-(-count // self.limit), 1))

    def next(self) -> _Changes:
        return {"page": self.number + 1}

    def previous(self) -> _Changes:
        return {"page": self.number - 1 if self.number > 2 else None}


def parse_page_number(given: Mapping[str, str]) -> PageNumber | None:
    """What ``page`` and ``page_size`` ask for, where one of them is given.

    Raises:
        HttpError: 404, the page is no number from 1.
        InvalidRequest: with ``key``, one of page, page_size.
    """
    if "page" not in given and "page_size" not in given:
        return None
    if "limit" in given or "offset" in given:
        raise InvalidRequest("Cannot be combined with limit and offset.", key="page")
    size = whole_number("page_size", given.get("page_size", PAGE_SIZE), 1, PAGE_MAX)
    if given.get("page") == "last":
        return PageNumber(LAST, size)
    try:
        return PageNumber(whole_number("page", given.get("page", 1), 1, _NUMBER_MAX), size)
    except InvalidRequest:
        raise invalid_page() from None


def invalid_page() -> HttpError:
    """DRF's answer to a page that is not there."""
    return HttpError(404, "Invalid page.")


def paginated(request: web.Request, pagination: Pagination, page: TaskPage) -> bytes:
    """The body, as JSON; the links keep the other parameters of the request."""
    next_link = previous_link = None
    has_next, has_previous = pagination.offset + pagination.limit < page.count, pagination.offset > 0
    if has_next or has_previous:
        address = request.app[FORWARDED].base_url(request) + request.rel_url.raw_path
        given = parse_parameters(request.rel_url.raw_query_string)
        if has_next:
            next_link = _link(address, given, pagination.next())
        if has_previous:
            previous_link = _link(address, given, pagination.previous())
    return b'{"count":%d,"next":%b,"previous":%b,"results":%b}' % (
        page.count,
        _encode(next_link),
        _encode(previous_link),
        page.json,
    )


def _link(address: str, given: Mapping[str, str], changes: _Changes) -> str:
    query = {**given, **changes}
    items = sorted((name, value) for name, value in query.items() if value is not None)
    return f"{address}?{urlencode(items)}" if items else address
