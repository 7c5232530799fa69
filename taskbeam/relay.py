"""``python -m taskbeam.relay FORMAT FOLDER``: stands between supervisord and the standard output of ``taskbeam serve``.

supervisord opens its standard output again, by the name /dev/fd/1. That fails for a socket, as under systemd or Node, and
overwrites what is in a file. It waits for a reader that stands still, and lets its processes wait; and once nobody
reads any more it falls over, and leaves its processes alone. So it writes into a pipe that is always read, here. What a
reader leaves no room for is dropped and counted: see `shared.log_writer`.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from shared.log_writer import LogWriter
from shared.logs import JsonFormatter, TextFormatter
from taskbeam.relay_lines import LineSplitter, as_json

if TYPE_CHECKING:
    from shared.metrics.slots import Slot

_PROCESS: Final = "taskbeam"
_READ_BYTES: Final = 65_536
_PUBLISH_SECONDS: Final = 1.0
# It ends when all who write to it have ended, and not before: they have something to say as they end.
_IGNORED: Final = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM)


class _DroppedLines:
    """Publishes how many lines were dropped, beside what the servers publish in that folder; at most once a second."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._slot: Slot | None = None
        self._next = time.monotonic()
        self._published = 0

    def timeout(self, count: int) -> float | None:
        """In how many seconds that number may be published; ``None``: it is."""
        return None if count == self._published else max(0.0, self._next - time.monotonic())

    def publish(self, count: int) -> None:
        # Here: most relays never drop a line, and need none of these.
        import msgspec

        from shared.metrics.catalogue import LOG_LINES_DROPPED
        from shared.metrics.families import take_snapshot
        from shared.metrics.slots import take_slot

        self._published = LOG_LINES_DROPPED.child().value = count
        self._next = time.monotonic() + _PUBLISH_SECONDS
        snapshot = take_snapshot({LOG_LINES_DROPPED.name: LOG_LINES_DROPPED})
        with contextlib.suppress(OSError):  # a full disk: the next number may find room
            self._slot = self._slot or take_slot(self._folder, "relay")
            self._slot.write(msgspec.json.encode(snapshot))


def relay(log_format: str, metrics_folder: Path) -> None:
    """Pass on lines from standard input to standard output until nobody has the other end of the input open.

    What still waits then is written by ``logging.shutdown``, as far as it is read within a second.
    """
    is_json = log_format == "json"
    writer = LogWriter(1, (JsonFormatter if is_json else TextFormatter)(_PROCESS))
    splitter = LineSplitter()
    dropped = _DroppedLines(metrics_folder)

    def write(lines: list[str]) -> None:
        for line in lines:
            if not is_json:
                writer.write_line(line)
            elif line:
                writer.write_line(as_json(line))

    while True:
        timeout = dropped.timeout(writer.dropped)
        if timeout == 0:
            dropped.publish(writer.dropped)
            continue
        if not select.select((0,), (), (), timeout)[0]:
            continue
        data = os.read(0, _READ_BYTES)
        if not data:
            break
        write(splitter.feed(data))
    write(splitter.end())
    if dropped.timeout(writer.dropped) is not None:
        dropped.publish(writer.dropped)


if __name__ == "__main__":
    for number in _IGNORED:
        signal.signal(number, signal.SIG_IGN)
    relay(sys.argv[1], Path(sys.argv[2]))
