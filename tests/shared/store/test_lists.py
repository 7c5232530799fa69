"""Lists of any length, asked for in any way, are those of a plain list."""

from __future__ import annotations

import pytest

from tests.shared.store.owner import Owner, listed
from tests.shared.store.plain_list import expected_list, fill, queries


@pytest.mark.parametrize("tasks", [0, 1, 50, 250])
async def test_answers_are_those_of_a_plain_list(owner: Owner, stranger: Owner, tasks: int) -> None:
    await fill(owner, tasks)
    whole = await owner.tasks()
    assert len(whole) == tasks
    for query in queries(50):
        page = await owner.store.tasks(owner.id, query)
        assert (listed(page), page.count) == expected_list(whole, query), query
        assert page.seq == tasks + 2
