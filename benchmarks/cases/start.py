"""From the start of a process to the first answer of its `/readyz`, which queries the database. The database exists already,
and the process is alone on its core."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Final

from benchmarks.cases import Effort
from benchmarks.figures import Spread
from benchmarks.machine import on_cores
from benchmarks.results import Findings
from benchmarks.seed import open_store
from benchmarks.servers import ROOT, ServerFailed, data_folder, environ, free_port, settings_of

_POLL_SECONDS: Final = 0.002
_DEADLINE_SECONDS: Final = 30.0


async def measure(effort: Effort) -> Findings:
    found = Findings()
    with data_folder() as folder:
        async with open_store(settings_of(folder)):
            pass
        for module, name in (("ws_server", "WS_PORT"), ("rest_gateway", "REST_PORT")):
            starts = [_start(effort, folder, module, name) for _ in range(effort.rounds + 1)]
            found.at_most(f"{module}: start to first answer", 0.6, "s", Spread.of(starts[1:]))
    return found


def _start(effort: Effort, folder: Path, module: str, port_name: str) -> float:
    port = free_port()
    variables = environ(folder, **{port_name: str(port), "LOG_LEVEL": "ERROR"})
    with on_cores({effort.cores.servers}):
        began = time.perf_counter()
        process = subprocess.Popen([sys.executable, "-m", module], cwd=ROOT, env=variables, process_group=0)
    try:
        while not _listens(port):
            if process.poll() is not None or time.perf_counter() - began > _DEADLINE_SECONDS:
                raise ServerFailed(f"{module} did not start")
            time.sleep(_POLL_SECONDS)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=_DEADLINE_SECONDS):
            return time.perf_counter() - began
    finally:
        process.terminate()
        process.wait(_DEADLINE_SECONDS)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
