"""``python -m benchmarks``: measure the shipped processes beside raw baselines, and write the performance page."""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import signal
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import uvloop

from benchmarks import page, report, results
from benchmarks.cases import Case, Effort
from benchmarks.catalogue import CASES
from benchmarks.closed_loop import UnexpectedAnswer
from benchmarks.machine import OtherLoad, UnsuitableMachine, describe, on_cores, prepare
from benchmarks.results import Results
from benchmarks.servers import ServerFailed


async def _measure(cases: list[Case], effort: Effort, latest: Results, machine: str) -> None:
    """Run the cases in turn. SIGTERM ends them like Ctrl-C, with every process that they started."""
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    for case in cases:
        started, other_load = time.monotonic(), OtherLoad()
        print(f"{case.name} ...", file=sys.stderr, flush=True)
        gc.collect()
        findings = await case.measure(effort)
        findings.taken = datetime.now(UTC).date().isoformat()
        findings.machine = machine
        findings.other_load = other_load.share()
        latest.take(case.name, findings)
        print(report.summary(case.name, findings), flush=True)
        if effort.whole:  # at once, so that it is kept if a later case fails
            results.save(latest)
            page.write(latest)
        print(f"{case.name}: {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)


def _chosen(arguments: argparse.Namespace) -> list[Case]:
    if arguments.only:
        return [case for case in CASES if case.name in arguments.only]
    times = {"always"} | (set() if arguments.quick else {"whole"}) | ({"asked"} if arguments.peers else set())
    return [case for case in CASES if case.when in times]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--only",
        nargs="+",
        choices=[case.name for case in CASES],
        help="these cases; on the page the others keep what they have",
    )
    parser.add_argument(
        "--quick", action="store_true", help="fewer rounds, and nothing that takes minutes; writes nothing"
    )
    parser.add_argument("--peers", action="store_true", help="FastAPI and PocketBase, too")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.ERROR)  # the store's warnings are for operators
    try:
        cores = prepare()
        with on_cores(cores.both):
            machine = describe(Path(tempfile.gettempdir()))
        effort = Effort(cores, 3, 0.7, False) if arguments.quick else Effort(cores, 7, 1.0, True)
        found = results.load()
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_measure(_chosen(arguments), effort, found, machine))
    except (ServerFailed, UnexpectedAnswer, UnsuitableMachine, OSError) as error:
        print(f"taskbeam: {str(error) or type(error).__name__}", file=sys.stderr)
        return 1
    except (KeyboardInterrupt, asyncio.CancelledError):
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
