"""What the batches of ``rest_gateway.tasks`` take and answer."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from rest_gateway.openapi.common import LEFT_OUT, OF_BODIES
from rest_gateway.openapi.error_types import BatchRefused, Detail
from rest_gateway.openapi.operation import TASK_EXAMPLE, Answer, Body, Operation, Operations
from rest_gateway.openapi.request_types import Batch
from rest_gateway.openapi.tasks import FULL
from shared.api_types import FieldErrors, Results
from shared.errors import Conflict, ValidationFailed


class BatchResults(Struct):
    """What came of each operation, in their order."""

    results: Results


_RESULT: Final = {
    "mode": "create",
    "type": "task.update",
    "task": TASK_EXAMPLE,
    "task_id": TASK_EXAMPLE["uuid"],
    "seq": 1,
}

OPERATIONS: Final[Operations] = {
    ("POST", "/batch/"): Operation(
        "runBatch",
        "Carry out several operations, or none",
        {
            200: Answer("All of them.", BatchResults, example={"results": [_RESULT]}),
            400: Answer(
                "An operation or the request is bad.",
                (BatchRefused, FieldErrors, Detail),
                cases={
                    "an operation has a bad field": {
                        "detail": ValidationFailed({}).message,
                        "code": "validation",
                        "errors": {"task": [LEFT_OUT]},
                        "op": 0,
                    },
                    "the request is malformed": {
                        "detail": "ops: Must be a list of 1 to 100 operations.",
                        "code": "invalid_request",
                    },
                    **OF_BODIES,
                },
            ),
            403: Answer(
                "You would have more tasks than a user may have.",
                BatchRefused,
                cases={
                    "the operation would be one task too many": {
                        "detail": FULL,
                        "code": "limit_reached",
                        "limit": 10_000,
                        "op": 0,
                    }
                },
            ),
            404: Answer(
                "You have no such task.",
                BatchRefused,
                cases={
                    "the operation is on no task of the user's": {
                        "detail": "No Task matches the given query.",
                        "code": "not_found",
                        "op": 1,
                    }
                },
            ),
            409: Answer(
                "A task has not the revision that was given.",
                BatchRefused,
                cases={
                    "`rev` is not the current one": {
                        "detail": Conflict(None).message,
                        "code": "conflict",
                        "task": TASK_EXAMPLE,
                        "op": 1,
                    }
                },
            ),
        },
        "One transaction: on a failure nothing is written.",
        Body(
            Batch,
            {
                "ops": [
                    {"mode": "create", "data": {"task": "Buy milk"}},
                    {"mode": "update", "task_id": TASK_EXAMPLE["uuid"], "data": {"completed": True}},
                ]
            },
        ),
    ),
}
