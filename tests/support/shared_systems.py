"""The systems that many tests share, by what is special about their settings."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Final, NamedTuple

import pytest

from tests.support.processes import System, running


class SharedSystem(NamedTuple):
    """What `running` gets; ``environ`` without the prefix."""

    environ: dict[str, str]
    workers: int = 1
    uvloop: bool = True


SHARED: Final = {
    # Both processes, without the message rate limit; not for tests that stop or overload them.
    "system_with_uvloop": SharedSystem({"MESSAGES_PER_SECOND": "0"}),
    "system_without_uvloop": SharedSystem({"MESSAGES_PER_SECOND": "0"}, uvloop=False),
    "two_worker_system": SharedSystem(
        {"MESSAGES_PER_SECOND": "0", "MAX_CONNECTIONS_PER_USER": "10000"}, workers=2
    ),
    "short_timeouts_system": SharedSystem({"AUTH_TIMEOUT_SECONDS": "1", "ACCESS_TOKEN_SECONDS": "2"}),
    # Few connections, tasks, messages, buffered bytes.
    "low_limits_system": SharedSystem(
        {
            "MAX_CONNECTIONS": "6",
            "MAX_CONNECTIONS_PER_USER": "2",
            "MAX_TASKS_PER_USER": "3",
            "MAX_BUFFER_BYTES": "65536",
            "MESSAGES_PER_SECOND": "5",
            "ALLOWED_ORIGINS": "https://app.example.org,http://localhost:*",
        }
    ),
}


def shared_system(name: str, factory: pytest.TempPathFactory) -> AbstractContextManager[System]:
    """The system of that name, started."""
    shared = SHARED[name]
    environ = {f"TASKBEAM_{variable}": value for variable, value in shared.environ.items()}
    return running(factory.mktemp(name), shared.workers, uvloop=shared.uvloop, beside=environ)
