"""Short lists are answered on the event loop, long ones on a thread, and both are the same list."""

from __future__ import annotations

import pytest

from shared.errors import UserGone
from shared.models import CreateTask, TaskPage, TaskQuery
from shared.rules.queries import clean_query
from shared.rules.search_terms import SEARCH_TERMS_MAX
from shared.store import Store
from shared.store.sqlite import lists
from shared.store.sqlite.list_cache import ListCache
from shared.store.sqlite.lists import SHORT_LIST
from tests.shared.store.owner import READING, Owner, listed, new_owner
from tests.shared.store.plain_list import (
    BY_TEXT,
    BY_TIME_AND_TEXT,
    NEWEST_FIRST,
    OLDEST_FIRST,
    expected_list,
    fill,
    queries,
)
from tests.shared.store.sqlite.sqlite_file import Statements, inline_connection


async def _ask(owner: Owner, query: TaskQuery) -> tuple[TaskPage, bool]:
    """The answer, and whether it came from the thread for long lists."""
    statements = Statements()
    await statements.watch_list_reader(owner.store)
    statements.seen.clear()
    page = await owner.store.tasks(owner.id, query)
    return page, bool(statements.seen)


@pytest.mark.parametrize("tasks", [0, 1, SHORT_LIST - 1, SHORT_LIST, SHORT_LIST + 1, 3 * SHORT_LIST])
async def test_answers_on_both_sides_of_the_border_are_those_of_a_plain_list(
    owner: Owner, stranger: Owner, monkeypatch: pytest.MonkeyPatch, tasks: int
) -> None:
    await fill(owner, tasks)
    whole = await owner.tasks()
    assert len(whole) == tasks
    for query in queries(SHORT_LIST):
        page = await owner.store.tasks(owner.id, query)
        assert (listed(page), page.count) == expected_list(whole, query), query
        assert page.seq == tasks + 2
        with monkeypatch.context() as patch:
            patch.setattr(lists, "SHORT_LIST", -1)
            patch.setattr(ListCache, "get", lambda *_: None)
            assert await _ask(owner, query) == (page, True), query


@pytest.mark.parametrize(
    ("query", "looks_at_all"),
    [
        (TaskQuery(), True),
        (TaskQuery(limit=SHORT_LIST), False),
        (TaskQuery(limit=SHORT_LIST, ordering=NEWEST_FIRST), False),
        (TaskQuery(limit=1, offset=SHORT_LIST - 1), False),
        (TaskQuery(limit=1, offset=SHORT_LIST), True),
        (TaskQuery(limit=SHORT_LIST + 1), True),
        (TaskQuery(limit=1, ordering=BY_TEXT), True),
        (TaskQuery(limit=1, ordering=BY_TIME_AND_TEXT), True),
        (TaskQuery(limit=1, completed=True), True),
    ],
    ids=str,
)
@pytest.mark.parametrize("tasks", [0, SHORT_LIST, SHORT_LIST + 1])
async def test_loop_never_looks_at_more_rows_than_a_short_list_has(
    owner: Owner, stranger: Owner, tasks: int, query: TaskQuery, looks_at_all: bool
) -> None:
    await fill(owner, tasks)
    _, asked_thread = await _ask(owner, query)
    assert asked_thread == (looks_at_all and tasks > SHORT_LIST)


async def test_search_that_may_take_long_is_not_done_on_the_loop(owner: Owner) -> None:
    """As many terms as may be asked for in as much text as may be stored take a tenth of a second and more."""
    terms = tuple(f"w{number}" for number in range(SEARCH_TERMS_MAX))
    await owner.write(*[CreateTask(None, "a", " ".join(terms))] * SHORT_LIST)
    page, asked_thread = await _ask(owner, TaskQuery(search=terms))
    assert page.count == SHORT_LIST
    assert asked_thread


@pytest.mark.parametrize("query", [TaskQuery(), TaskQuery(limit=SHORT_LIST + 1), TaskQuery(completed=True)])
async def test_list_of_a_deleted_user_says_so(
    store: Store, monkeypatch: pytest.MonkeyPatch, query: TaskQuery
) -> None:
    gone = await new_owner(store)
    await store.delete_user(gone.user, READING)
    for border in (SHORT_LIST, -1):
        monkeypatch.setattr(lists, "SHORT_LIST", border)
        with pytest.raises(UserGone):
            await store.tasks(gone.id, query)


async def test_search_folds_case_on_both_sides_of_the_border(
    owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    await owner.write(CreateTask(None, "Straße"), CreateTask(None, "ÉTÉ"))
    for border in (SHORT_LIST, -1):
        monkeypatch.setattr(lists, "SHORT_LIST", border)
        for search, expected in (("STRASSE", ["Straße"]), ("été", ["ÉTÉ"])):
            page = await owner.store.tasks(owner.id, clean_query({"search": search}))
            assert [task.task for task in listed(page)] == expected


@pytest.mark.parametrize("ordering", [OLDEST_FIRST, NEWEST_FIRST])
async def test_first_page_takes_as_many_steps_however_many_tasks_there_are(
    owner: Owner, stranger: Owner, ordering: tuple[tuple[str, bool], ...]
) -> None:
    await fill(owner, 3 * SHORT_LIST)
    for _ in range(10):
        await fill(stranger, 3 * SHORT_LIST)
    connection = inline_connection(owner.store)

    def steps(user_id: int) -> int:
        taken = 0

        def take() -> None:
            nonlocal taken
            taken += 1

        connection.set_progress_handler(take, 1)
        lists.read_short_list(connection, ListCache(), user_id, TaskQuery(limit=50, ordering=ordering))
        connection.set_progress_handler(None, 1)
        return taken

    assert 0 < steps(stranger.id) < 1.2 * steps(owner.id)
