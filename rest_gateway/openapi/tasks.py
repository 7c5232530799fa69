"""What ``rest_gateway.tasks`` takes and answers."""

from __future__ import annotations

from typing import Annotated, Final

from msgspec import Meta, Struct

from rest_gateway.openapi.common import LEFT_OUT, NO_TASK, EntityTags, invalid
from rest_gateway.openapi.error_types import ConditionFailed, Detail, LimitReached
from rest_gateway.openapi.operation import TASK_EXAMPLE, Answer, Body, Operation, Operations, Parameter
from rest_gateway.pagination import PAGE_SIZE
from shared.api_types import NewTask, Ordering, Search, TaskUpdate
from shared.errors import LimitReached as LimitReachedError
from shared.models import TASK_MAX_LENGTH, Task, Uuid
from shared.rules.queries import OFFSET_MAX, ORDERING_FIELDS, PAGE_MAX


class TaskPage(Struct):
    """A part of the list: ``count`` tasks match, ``next`` and ``previous`` are the addresses of its neighbours."""

    count: int
    next: str | None
    previous: str | None
    results: list[Task]


_ETAG: Final = ("ETag",)
_TASK: Final = Answer("The task.", Task, _ETAG, example=TASK_EXAMPLE)
_CHANGED: Final = Answer(
    "The task after the change.", Task, _ETAG, example={**TASK_EXAMPLE, "completed": True, "rev": 2}
)
_CONDITION_FAILED: Final = Answer(
    "A condition does not hold, or is malformed. Nothing was written; the body has the current task.",
    ConditionFailed,
    cases={
        "`If-Match` or `If-None-Match` does not hold": {
            "detail": "The task's revision does not meet If-Match.",
            "code": "conflict",
            "task": TASK_EXAMPLE,
        },
        "one is malformed": {
            "detail": "If-Match must be * or a list of entity tags in double quotes.",
            "code": "conflict",
            "task": TASK_EXAMPLE,
        },
    },
)
_TASK_ID: Final = Parameter("task_id", "path", Uuid, "The task's `uuid`.", required=True)
_IF_MATCH: Final = Parameter(
    "If-Match", "header", EntityTags, "Only if the task has this revision: 412 otherwise."
)
_IF_NONE_MATCH: Final = Parameter(
    "If-None-Match", "header", EntityTags, "Only if the task has another revision: 304 otherwise."
)
_CONDITIONS: Final = (
    _TASK_ID,
    _IF_MATCH,
    _IF_NONE_MATCH._replace(description="Only if the task has another revision: 412 otherwise."),
)
_UPDATE: Final = Body(TaskUpdate, {"completed": True}, required=False)
_BAD_FIELDS: Final = {
    "a field is blank": {"task": "This field may not be blank."},
    "a field is null": {"task": "This field may not be null."},
    "a field is too long": {"task": f"Ensure this field has no more than {TASK_MAX_LENGTH} characters."},
    "a field is no text": {"task": "Not a valid string."},
    "a field is no boolean": {"completed": "Must be a valid boolean."},
    "a text has a null character": {"task": "Null characters are not allowed."},
}
FULL: Final = LimitReachedError(10_000).message
_UPDATED: Final = {200: _CHANGED, 400: invalid(_BAD_FIELDS), 404: NO_TASK, 412: _CONDITION_FAILED}
_LAST: Final = Annotated[str, Meta(extra_json_schema={"const": "last"})]
_PAGE_SIZE: Final = Annotated[int, Meta(ge=1, le=PAGE_MAX)]
_LIST: Final = (
    Parameter("completed", "query", bool, "Only tasks that are so."),
    Parameter(
        "search",
        "query",
        Search,
        'Words and "quoted phrases" that must all be in the task or its description, in any case.',
    ),
    Parameter(
        "ordering",
        "query",
        Ordering,
        "Fields with commas between, with `-` for descending: "
        f"{', '.join(f'`{field}`' for field in ORDERING_FIELDS)} (the order of creation).",
    ),
    Parameter("limit", "query", _PAGE_SIZE, "At most so many, from `offset` on; the answer is a page."),
    Parameter("offset", "query", Annotated[int, Meta(ge=0, le=OFFSET_MAX)], "How many to pass over."),
    Parameter(
        "page",
        "query",
        Annotated[int, Meta(ge=1)] | _LAST,
        "A page's number, from 1, or `last`. Not together with `limit` and `offset`.",
    ),
    Parameter("page_size", "query", _PAGE_SIZE, f"How many are on a page; {PAGE_SIZE} where it is left out."),
)

OPERATIONS: Final[Operations] = {
    ("GET", "/"): Operation(
        "listTasks",
        "Your tasks",
        {
            200: Answer(
                "The tasks; with `limit`, `page` or `page_size` a page of them.",
                (list[Task], TaskPage),
                ("X-Taskbeam-Seq", "X-Taskbeam-Epoch"),
                example=[TASK_EXAMPLE],
            ),
            302: Answer(
                "A browser, which sends no token and prefers HTML, is sent to the page.",
                Detail,
                ("Location",),
            ),
            400: invalid(
                {
                    "a number is out of range": {"limit": f"Must be an integer from 1 to {PAGE_MAX}."},
                    "a filter is no boolean": {"completed": "Must be a valid boolean."},
                    "both kinds of pages": {"page": "Cannot be combined with limit and offset."},
                },
                body=False,
            ),
            404: Answer(
                "There is no such page.", Detail, cases={"no such `page`": {"detail": "Invalid page."}}
            ),
        },
        "Oldest first. Pages: either `limit` and `offset`, or `page` and `page_size`. An empty value is no filter; of a "
        "parameter given twice the last counts.",
        parameters=_LIST,
    ),
    ("POST", "/"): Operation(
        "createTask",
        "Make a task",
        {
            201: Answer("The task.", Task, _ETAG, example=TASK_EXAMPLE),
            200: _TASK._replace(description="The task was there already, and is as it was."),
            400: invalid({"a field is left out": {"task": LEFT_OUT}, **_BAD_FIELDS}),
            403: Answer(
                "You have as many tasks as a user may have.",
                LimitReached,
                cases={
                    "more than `MAX_TASKS_PER_USER`": {
                        "detail": FULL,
                        "code": "limit_reached",
                        "limit": 10_000,
                    }
                },
            ),
        },
        body=Body(NewTask, {"task": "Buy milk", "description": "2 litres"}),
        parameters=(
            Parameter(
                "Idempotency-Key",
                "header",
                Annotated[str, Meta(min_length=1, max_length=255)],
                "Stands for a uuid, where the body has none: the same key makes one task, however often it is sent.",
            ),
        ),
    ),
    ("GET", "/task/{task_id}/"): Operation(
        "getTask",
        "One task",
        {200: _TASK, 304: Answer("You have this revision.", headers=_ETAG), 404: NO_TASK},
        parameters=(_TASK_ID, _IF_NONE_MATCH),
    ),
    ("PUT", "/task/{task_id}/"): Operation(
        "putTask", "Change a task", _UPDATED, "The same as PATCH.", _UPDATE, _CONDITIONS
    ),
    ("PATCH", "/task/{task_id}/"): Operation(
        "updateTask", "Change a task", _UPDATED, "What is left out keeps its value.", _UPDATE, _CONDITIONS
    ),
    ("DELETE", "/task/{task_id}/"): Operation(
        "deleteTask",
        "Delete a task",
        {204: Answer("It is gone."), 404: NO_TASK, 412: _CONDITION_FAILED},
        parameters=_CONDITIONS,
    ),
}
