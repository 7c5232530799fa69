"""Lists: filters, search, ordering, pages, and the seq that a list is the state at."""

from __future__ import annotations

import asyncio

import pytest

from shared.errors import InvalidRequest, UserGone
from shared.models import Change, CreateTask, Task, TaskQuery
from shared.rules.queries import ORDERING_FIELDS, clean_query
from shared.store import Store
from tests.shared.store.owner import NOW, READING, SECOND, Owner, listed


async def found(owner: Owner, **query: object) -> list[str]:
    page = await owner.store.tasks(owner.id, clean_query(query))
    return [task.task for task in listed(page)]


async def test_tasks_come_oldest_first(owner: Owner) -> None:
    for second in (3, 1, 2):
        await owner.create(f"at {second}", now=NOW + second * SECOND)
    assert await found(owner) == ["at 1", "at 2", "at 3"]


async def test_tasks_of_one_moment_come_in_the_order_of_creation(owner: Owner) -> None:
    names = [f"{number:02}" for number in range(30)]
    await owner.write(*[CreateTask(None, name) for name in names])
    assert await found(owner) == names
    assert await found(owner, ordering="-time_created") == names[::-1]


async def test_another_users_tasks_are_never_listed(owner: Owner, stranger: Owner) -> None:
    await owner.create("mine")
    assert len(await stranger.tasks()) == 1
    assert await found(owner) == ["mine"]
    assert await found(owner, search="stranger") == []


async def test_completed_filters(owner: Owner) -> None:
    await owner.write(CreateTask(None, "open"), CreateTask(None, "done", completed=True))
    assert await found(owner, completed=True) == ["done"]
    assert await found(owner, completed=False) == ["open"]


@pytest.mark.parametrize(
    ("search", "expected"),
    [
        ("milk", ["Buy MILK", "Drink"]),
        ("MILK", ["Buy MILK", "Drink"]),
        ("milk buy", ["Buy MILK"]),
        ("milk,buy", ["Buy MILK"]),
        ('"buy milk"', ["Buy MILK"]),
        ("'BUY milk' litres", ["Buy MILK"]),
        ('"milk buy"', []),
        ('"milk two"', []),  # it ends one text, and begins the other
        ('""', ["Buy MILK", "Drink", "Straße", "été", "ΩΣ", "100% _done_", "it's"]),
        ("  buy \t milk ", ["Buy MILK"]),
        ("buy drink", []),
        ("strasse", ["Straße"]),
        ("STRASSE", ["Straße"]),
        ("ÉTÉ", ["été"]),
        ("ωσ", ["ΩΣ"]),
        ("ως", ["ΩΣ"]),
        ("100%", ["100% _done_"]),
        ("%", ["100% _done_"]),
        ("_", ["100% _done_"]),
        ("t's", ["it's"]),
        ("", ["Buy MILK", "Drink", "Straße", "été", "ΩΣ", "100% _done_", "it's"]),
        ("nowhere", []),
    ],
)
async def test_search_finds_all_terms_in_task_or_description_whatever_the_case(
    owner: Owner, search: str, expected: list[str]
) -> None:
    await owner.write(
        CreateTask(None, "Buy MILK", "two litres"),
        CreateTask(None, "Drink", "the milk"),
        *(CreateTask(None, task) for task in ("Straße", "été", "ΩΣ", "100% _done_", "it's")),
    )
    assert await found(owner, search=search) == expected


async def test_terms_may_stand_in_different_fields(owner: Owner) -> None:
    await owner.write(CreateTask(None, "Buy", "milk"), CreateTask(None, "Buy", "bread"))
    page = await owner.store.tasks(owner.id, clean_query({"search": "milk buy"}))
    assert [task.description for task in listed(page)] == ["milk"]


async def test_search_of_a_hundred_terms_is_answered(owner: Owner) -> None:
    numbers = [str(number) for number in range(100)]
    await owner.write(
        CreateTask(None, "all", " ".join(numbers)), CreateTask(None, "some", " ".join(numbers[:99]))
    )
    assert await found(owner, search=" ".join(numbers)) == ["all"]


@pytest.mark.parametrize("terms", [600, 2_000, 40_000])
async def test_search_of_as_many_terms_as_fit_into_a_message_is_no_defect(owner: Owner, terms: int) -> None:
    """Answered, or refused as a bad request: a text that a client sends must not end as ``internal``."""
    await owner.write(CreateTask(None, "all", " ".join(str(number) for number in range(2_000))))
    try:
        names = await found(owner, search=" ".join(str(number % 2_000) for number in range(terms)))
    except InvalidRequest:
        return
    assert names == ["all"]


@pytest.mark.parametrize("field", ORDERING_FIELDS)
@pytest.mark.parametrize("sign", ["", "-"])
async def test_order_of_every_field_both_ways(owner: Owner, field: str, sign: str) -> None:
    for second, (task, description) in enumerate([("b", "x"), ("a", "z"), ("c", "y")]):
        [written] = await owner.write(
            CreateTask(None, task, description, completed=task == "a"), now=NOW + second * SECOND
        )
        for revision in range((second + 1) % 3):
            await owner.update(written.task.uuid, now=NOW + (10 - second + revision) * SECOND)
    tasks = await owner.tasks()
    # Equals stay in the order of creation, and in reverse when descending.
    by = "time_created" if field == "id" else field
    expected = sorted(tasks, key=lambda task: getattr(task, by))[:: -1 if sign else 1]
    page = await owner.store.tasks(owner.id, clean_query({"ordering": sign + field}))
    assert listed(page) == expected


async def test_later_fields_order_what_the_earlier_ones_leave_equal(owner: Owner) -> None:
    for task, description in (("a", "1"), ("b", "1"), ("a", "2"), ("b", "2")):
        await owner.write(CreateTask(None, task, description))
    page = await owner.store.tasks(owner.id, clean_query({"ordering": "-task,description"}))
    assert [task.task + task.description for task in listed(page)] == ["b1", "b2", "a1", "a2"]


@pytest.mark.parametrize(
    ("limit", "offset", "expected"),
    [
        (None, 0, "abcde"),
        (2, 0, "ab"),
        (2, 2, "cd"),
        (2, 4, "e"),
        (2, 5, ""),
        (1000, 0, "abcde"),
        (None, 3, "de"),
        (1, 2**53, ""),
    ],
)
async def test_page_is_a_slice_and_count_is_that_of_all_matches(
    owner: Owner, limit: int | None, offset: int, expected: str
) -> None:
    await owner.write(*[CreateTask(None, name) for name in "abcde"], CreateTask(None, "-", completed=True))
    page = await owner.store.tasks(owner.id, TaskQuery(completed=False, limit=limit, offset=offset))
    assert "".join(task.task for task in listed(page)) == expected
    assert page.count == 5


async def test_pages_together_are_the_whole_list(owner: Owner) -> None:
    await owner.write(*[CreateTask(None, "same", completed=bool(number % 2)) for number in range(25)])
    ordering = (("task", False), ("completed", True))
    whole = listed(await owner.store.tasks(owner.id, TaskQuery(ordering=ordering)))
    pages: list[Task] = []
    for offset in range(0, 25, 4):
        query = TaskQuery(ordering=ordering, limit=4, offset=offset)
        pages += listed(await owner.store.tasks(owner.id, query))
    assert pages == whole


@pytest.mark.parametrize("by_another", [False, True])
async def test_list_is_read_again_after_every_change(
    owner: Owner, elsewhere: Store, by_another: bool
) -> None:
    """By whichever process."""
    writer = Owner(elsewhere, owner.user) if by_another else owner
    assert await owner.tasks() == []
    created = await writer.create()
    assert await owner.tasks() == [created]
    updated = await writer.update(created.uuid, "changed")
    assert await owner.tasks() == [updated]
    await writer.delete(created.uuid)
    page = await owner.store.tasks(owner.id, TaskQuery())
    assert (listed(page), page.count, page.seq) == ([], 0, 3)
    await elsewhere.delete_user(owner.user, READING)
    with pytest.raises(UserGone):
        await owner.tasks()


async def test_list_is_the_state_at_its_seq_whoever_writes_meanwhile(owner: Owner) -> None:
    async def write() -> None:
        for number in range(40):
            first, _ = await owner.write(CreateTask(None, f"{number}"), CreateTask(None, "b"))
            if number % 3 == 0:
                await owner.delete(first.task.uuid)
            else:
                await owner.update(first.task.uuid, "changed")

    writer = asyncio.create_task(write())
    pages = []
    while not writer.done():
        pages.append(await owner.store.tasks(owner.id, TaskQuery()))
    await writer
    log = await owner.log()
    assert len({page.seq for page in pages}) > 3, "the reader never came between two writes"
    for page in pages:
        assert {task.uuid: task.rev for task in listed(page)} == _state(log, page.seq)


def _state(log: list[Change], seq: int) -> dict[str, int]:
    """The revision of each task after the changes up to ``seq``."""
    state: dict[str, int] = {}
    for change in log[:seq]:
        if change.mode == "delete":
            del state[change.task_id]
        else:
            state[change.task_id] = state.get(change.task_id, 0) + 1
    return state
