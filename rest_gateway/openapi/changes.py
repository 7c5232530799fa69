"""What ``rest_gateway.changes`` and ``rest_gateway.events`` take and answer."""

from __future__ import annotations

from typing import Annotated, Final

from msgspec import Meta

from rest_gateway.changes import SINCE_MAX, WAIT_MAX
from rest_gateway.openapi.common import THROTTLED, invalid
from rest_gateway.openapi.operation import TASK_EXAMPLE, Answer, Operation, Operations, Parameter
from shared.api_types import Changes, NotRecovered

_THROTTLED: Final = THROTTLED._replace(
    description="The user has too many long polls and event streams.",
    cases={
        "more than `MAX_CONNECTIONS_PER_USER` long polls and streams": {
            "detail": "Request was throttled. Expected available in 5 seconds."
        }
    },
)
_EPOCH: Final = "k3Jd9f0a"

OPERATIONS: Final[Operations] = {
    ("GET", "/changes/"): Operation(
        "getChanges",
        "What has changed since",
        {
            200: Answer(
                "The changes; or why there can be none.",
                (Changes, NotRecovered),
                cases={
                    "the changes since": {
                        "recovered": True,
                        "changes": [
                            {
                                "seq": 1,
                                "mode": "create",
                                "task_id": TASK_EXAMPLE["uuid"],
                                "task": TASK_EXAMPLE,
                            }
                        ],
                        "seq": 1,
                        "more": False,
                    },
                    "the database was restored: read the list again": {
                        "recovered": False,
                        "reason": "epoch_changed",
                        "epoch": _EPOCH,
                        "seq": 3,
                    },
                },
            ),
            400: invalid(
                {
                    "a parameter is left out": {"epoch": "This parameter is required."},
                    "a number is out of range": {"since": f"Must be an integer from 0 to {SINCE_MAX}."},
                },
                body=False,
            ),
            429: _THROTTLED,
        },
        "At most 500 changes. With `wait` it is a long poll: it is answered as soon as there is a change.",
        parameters=(
            Parameter("epoch", "query", str, "From the list's `X-Taskbeam-Epoch`.", True, _EPOCH),
            Parameter(
                "since",
                "query",
                Annotated[int, Meta(ge=0, le=SINCE_MAX)],
                "From the list's `X-Taskbeam-Seq`, then the `seq` of the last answer.",
                True,
                0,
            ),
            Parameter(
                "wait", "query", Annotated[int, Meta(ge=0, le=WAIT_MAX)], "Seconds to wait for a change."
            ),
        ),
    ),
    ("GET", "/events/"): Operation(
        "getEvents",
        "Changes as server-sent events",
        {
            200: Answer(
                "Events without an end: `ready`, `change`, `reset`; the id of each is `<epoch>:<seq>`.",
                str,
                media_type="text/event-stream",
                example=f'event: ready\nid: {_EPOCH}:0\ndata: {{"epoch":"{_EPOCH}","seq":0}}\n\n',
            ),
            429: _THROTTLED,
        },
        "Begins now, or after the event that `Last-Event-ID` names.",
        parameters=(
            Parameter("Last-Event-ID", "header", str, "The id of the last event that the client had."),
            Parameter("lastEventId", "query", str, "Stands for the header, which wins."),
        ),
    ),
}
