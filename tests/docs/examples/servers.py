"""The servers of the examples: three processes on one database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from tests.support.ports import free_port
from tests.support.processes import Process, System, running

STRICT: Final = {
    "ALLOW_REGISTRATION": "false",
    "LOGIN_ATTEMPTS_PER_MINUTE": "1",
    "MAX_CONNECTIONS_PER_USER": "1",
    "MAX_TASKS_PER_USER": "2",
    "REQUEST_TIMEOUT_SECONDS": "1",
}
"""The settings of the second gateway, which the page names."""
WEBSOCKET: Final = {
    "AUTH_TIMEOUT_SECONDS": "1",
    "MAX_CONNECTIONS_PER_USER": "2",
    "MAX_TASKS_PER_USER": "3",
    "MESSAGES_PER_SECOND": "20",
}
"""The settings of the WebSocket server, which its page names."""


class Servers(NamedTuple):
    """``system`` has the defaults' gateway, and the WebSocket server with its low limits."""

    system: System
    strict: Process

    @property
    def epoch(self) -> str:
        [(epoch,)] = self.system.execute("SELECT value FROM meta WHERE key = 'epoch'")
        return str(epoch)


@contextmanager
def serving(folder: Path) -> Iterator[Servers]:
    settings = {f"TASKBEAM_{name}": value for name, value in WEBSOCKET.items()}
    with running(folder, beside=settings, LOGIN_ATTEMPTS_PER_MINUTE="10") as system:
        environ = {**system.environ, **{f"TASKBEAM_{name}": value for name, value in STRICT.items()}}
        port = free_port()
        environ["TASKBEAM_REST_PORT"] = str(port)
        strict = Process("rest_gateway", port, environ, folder / "strict_gateway.log")
        try:
            strict.start()
            yield Servers(system, strict)
        finally:
            strict.kill_if_running()
