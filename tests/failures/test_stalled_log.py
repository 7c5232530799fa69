"""Whoever reads the log may stand still: both servers go on answering, and stop when they are told to."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.processes import ROOT, System
from tests.support.waiting import wait_until

_STOP_SECONDS = 5.0
_LINES = 200  # several times what the pipe takes


@contextmanager
def logging_into_a_pipe(system: System, module: str) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """The server, and the reading end of its log."""
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    with subprocess.Popen(
        [sys.executable, "-m", module], cwd=ROOT, env=system.environ, stdout=writer, stderr=writer
    ) as server:
        os.close(writer)
        try:
            yield server, reader
        finally:
            server.kill()
            os.close(reader)


@pytest.mark.parametrize("module", ["rest_gateway", "ws_server"])
def test_a_log_that_nobody_reads_stops_nothing(tmp_path: Path, module: str) -> None:
    system = System(tmp_path, {"TASKBEAM_LOG_LEVEL": "DEBUG", "TASKBEAM_LOG_FORMAT": "json"})
    port = system.gateway.port if module == "rest_gateway" else system.ws.port

    def answers(path: str = "/healthz") -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as response:
                return bool(response.status == 200)
        except urllib.error.HTTPError:
            return True
        except OSError:
            return False

    with logging_into_a_pipe(system, module) as (server, reader):
        wait_until(answers, 20, f"{module} answers")
        for _ in range(_LINES):
            answers("/" + "x" * 9000)  # refused by the parser, with a line at DEBUG
        assert answers()
        server.send_signal(signal.SIGTERM)
        assert server.wait(_STOP_SECONDS) == 0
        with os.fdopen(os.dup(reader), "rb") as log:
            lines = log.read().decode().splitlines()
    assert lines
    for line in lines[:-1]:
        assert json.loads(line)["process"] == module
