"""Whatever a client asks of the list, a query or the key that is bad."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given

from shared.api_types import Ordering
from shared.errors import InvalidRequest
from shared.json_schema import reference
from shared.rules.queries import ORDERING_FIELDS, clean_query
from tests.shared.rules.objects import check_key, objects


@given(objects("completed", "search", "ordering", "limit", "offset"))
def test_query_is_clean_or_names_the_bad_key(raw: dict[str, Any]) -> None:
    try:
        query = clean_query(raw)
    except InvalidRequest as refused:
        check_key(refused, "completed", "search", "ordering", "limit", "offset")
        return
    assert query.limit is None or 1 <= query.limit <= 1000
    assert 0 <= query.offset <= 2**53
    assert query.ordering
    assert all(name in ORDERING_FIELDS for name, _ in query.ordering)
    assert all(term == term.casefold() != "" for term in query.search)


def test_the_documents_offer_as_many_fields_to_order_by_as_are_taken() -> None:
    pattern = reference(Ordering)["pattern"]
    offered = ",".join(f"-{field}" for field in ORDERING_FIELDS)
    assert re.search(pattern, offered)
    assert len(clean_query({"ordering": offered}).ordering) == len(ORDERING_FIELDS)
    assert re.search(pattern, f"{offered},rev") is None
    with pytest.raises(InvalidRequest):
        clean_query({"ordering": f"{offered},rev"})


def test_an_integer_may_be_written_with_a_zero_fraction() -> None:
    query = clean_query({"limit": 3.0, "offset": 0.0})
    assert [type(each) for each in (query.limit, query.offset)] == [int, int]
    assert (query.limit, query.offset) == (3, 0)
