"""``python -m tests.fuzz [--seconds 600] [--seed 7]``: a long run, with a new seed.

Failures are printed in the form that ``regressions.py`` takes.
"""

from __future__ import annotations

import argparse
import asyncio
import secrets
import sys
import tempfile
from pathlib import Path

from tests.fuzz import gateway, websocket_port
from tests.fuzz.harness import Failure, ProcessCheck, generated, run_all
from tests.support.clients import new_account
from tests.support.processes import running


async def _fuzz(seconds: float, seed: int, folder: Path) -> list[Failure]:
    """Fuzz each port for half of the time."""
    failures: list[Failure] = []
    with running(folder) as system:
        token = new_account(system).access
        for process, make in (
            (system.ws, websocket_port.conversation),
            (system.gateway, gateway.conversation),
        ):
            process_check = ProcessCheck(process, token)
            failures += await run_all(process, generated(seed, make), token, seconds / 2)
            print(*failures, sep="\n")
            process_check.run()
    return failures


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=secrets.randbits(32))
    given = parser.parse_args()
    print(f"seed {given.seed}, {given.seconds:g} s", flush=True)
    with tempfile.TemporaryDirectory(prefix="taskbeam-fuzz-") as folder:
        return 1 if asyncio.run(_fuzz(given.seconds, given.seed, Path(folder))) else 0


if __name__ == "__main__":
    sys.exit(main())
