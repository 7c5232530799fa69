"""The start of both processes: signals, and standard streams that are closed."""

from __future__ import annotations

import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from tests.support.processes import ROOT, Process, System
from tests.support.waiting import wait_until

SIGNALS = [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP]


def _is_listed(process: Process, line: str, number: signal.Signals) -> bool:
    """Whether the kernel has the signal among those of ``SigCgt`` (caught) or ``SigIgn`` (ignored)."""
    status = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    signals = next(entry for entry in status if entry.startswith(f"{line}:"))
    return bool(int(signals.split()[1], 16) >> (number - 1) & 1)


@pytest.mark.parametrize("name", ["ws", "gateway"])
@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_a_stop_signal_during_the_start_is_an_orderly_end(
    tmp_path: Path, name: str, number: signal.Signals
) -> None:
    process: Process = getattr(System(tmp_path), name)
    process.start(ready=False)
    # Python itself catches SIGINT; ours are set in this order, and SIGHUP is the last of them.
    wait_until(lambda: _is_listed(process, "SigCgt", signal.SIGHUP), 10, "our handlers")
    assert process.stop(number) == 0
    log = process.log.read_bytes()
    assert b"listening on" not in log
    assert b"Traceback" not in log


@pytest.mark.parametrize("name", ["ws", "gateway"])
@pytest.mark.parametrize("number", SIGNALS[1:], ids=lambda number: number.name)
def test_a_signal_ends_a_process_that_serves(tmp_path: Path, name: str, number: signal.Signals) -> None:
    process: Process = getattr(System(tmp_path), name)
    process.start()
    assert process.stop(number) == 0
    assert b"Traceback" not in process.log.read_bytes()


def test_a_hang_up_that_is_ignored_at_the_start_stays_so(tmp_path: Path) -> None:
    """As with ``nohup``."""
    process = System(tmp_path).ws
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        process.start()
    finally:
        signal.signal(signal.SIGHUP, before)
    assert _is_listed(process, "SigIgn", signal.SIGHUP)
    assert process.stop() == 0


@pytest.mark.parametrize(
    ("name", "closed", "uvloop"),
    [
        ("ws", ">&- 2>&- <&-", True),
        ("ws", ">&- 2>&- <&-", False),
        ("ws", "<&-", True),
        ("ws", ">&-", True),
        ("ws", "2>&-", True),
        ("gateway", ">&- 2>&- <&-", True),
    ],
)
def test_standard_streams_may_be_closed(tmp_path: Path, name: str, closed: str, uvloop: bool) -> None:
    system = System(tmp_path, uvloop=uvloop)
    process: Process = getattr(system, name)
    command = f'exec "$0" -m {process.module} {closed}'
    with subprocess.Popen(["sh", "-c", command, sys.executable], cwd=ROOT, env=system.environ) as popen:

        def answers() -> bool:
            assert popen.poll() is None
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{process.port}/readyz", timeout=5) as answer:
                    return bool(answer.status == 200)
            except OSError:
                return False

        wait_until(answers, 20, "it is ready")
        popen.terminate()
        assert popen.wait(20) == 0
