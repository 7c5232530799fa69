"""``python -m benchmarks.scaling``: what a number of sockets needs; with ``--measure``, take the costs anew first."""

from __future__ import annotations

import argparse
import asyncio
import sys

import uvloop

from benchmarks.closed_loop import UnexpectedAnswer
from benchmarks.machine import UnsuitableMachine, prepare
from benchmarks.scaling import costs, tables
from benchmarks.scaling.measure import measure
from benchmarks.servers import ServerFailed


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scaling", description=__doc__)
    parser.add_argument("--measure", action="store_true", help="take the costs, and keep them")
    arguments = parser.parse_args()
    try:
        if arguments.measure:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                costs.save(runner.run(measure(prepare())))
    except (ServerFailed, UnexpectedAnswer, UnsuitableMachine, OSError) as error:
        print(f"taskbeam: {str(error) or type(error).__name__}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    for title, make in tables.TABLES.items():
        print(f"{title}\n", *make(), "", sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
