"""Kill a process and start it again, as a supervisor does.

The workers share a port, so an answer there may come from another worker. Only the kernel knows which process listens.
"""

from __future__ import annotations

from typing import Final

import psutil

from tests.support.processes import Process
from tests.support.waiting import wait_until

_START_SECONDS: Final = 60.0


def kill_and_start(process: Process) -> None:
    process.kill()
    process.start(ready=False)


def wait_listening(process: Process) -> None:
    """Return when the process accepts connections; from then on SIGTERM stops it in order."""
    wait_until(lambda: _is_listening(process), _START_SECONDS, f"{process.module} listens")


def _is_listening(process: Process) -> bool:
    assert process.popen is not None
    assert process.popen.poll() is None, f"{process.module} ended:\n{process.log.read_text()}"
    sockets = psutil.Process(process.pid).net_connections("tcp")
    return any(each.status == psutil.CONN_LISTEN for each in sockets)


def is_connected_to(process: Process, port: int) -> bool:
    """Whether the process has accepted the connection from this client port."""
    sockets = psutil.Process(process.pid).net_connections("tcp")
    return any(each.raddr and each.raddr.port == port for each in sockets)
