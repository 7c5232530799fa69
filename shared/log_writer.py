"""Writes log lines on a thread of its own, so that a reader of the log that stands still never holds up the event loop.

What does not fit into the bounded queue is dropped, and counted. Once there is room again, a line says how many.
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import threading
import time
from queue import SimpleQueue
from typing import Final

QUEUE_MAX_BYTES: Final = 4 * 1024 * 1024
# After lines were dropped, no more than this may wait before the next line is taken.
_ROOM_BYTES: Final = QUEUE_MAX_BYTES // 2
# Lines that come within this time are written together: to wake the thread for each would cost the loop 20 µs.
_GATHER_SECONDS: Final = 0.02
# A pipe takes as much in one piece, whoever else writes to it.
_WRITE_MAX_BYTES: Final = 4096
_FLUSH_SECONDS: Final = 1.0


class LogWriter(logging.Handler):
    """A handler that formats on the caller's thread, and writes to a file descriptor on its own.

    ``dropped`` is how many lines were dropped so far.
    """

    def __init__(self, descriptor: int, formatter: logging.Formatter) -> None:
        super().__init__()
        self.setFormatter(formatter)
        self.dropped = 0
        self._descriptor = descriptor
        self._queue: SimpleQueue[bytes] = SimpleQueue()
        # Each is written by one side only: ``emit``, which holds the handler's lock, and the thread.
        self._put_bytes = 0
        self._taken_bytes = 0
        self._told = 0  # of the dropped
        self._hurry = threading.Event()  # somebody waits for the end
        threading.Thread(target=self._run, name="log", daemon=True).start()

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self._encoded(record)
        except Exception:  # noqa: BLE001 - arguments that do not fit their message: a log line must not end its caller
            line = self._encoded(_about(f"a log line of {record.name} could not be formatted"))
        self._put_if_room(line)

    def write_line(self, line: str) -> None:
        """Write a line that is made already, as ``emit`` does."""
        self.acquire()
        try:
            self._put_if_room(f"{line}\n".encode(errors="backslashreplace"))
        finally:
            self.release()

    def _put_if_room(self, line: bytes) -> None:
        waiting = self._put_bytes - self._taken_bytes
        if waiting + len(line) > (_ROOM_BYTES if self.dropped > self._told else QUEUE_MAX_BYTES) and waiting:
            self.dropped += 1
            return
        self._tell_of_dropped()
        self._put(line)

    def _encoded(self, record: logging.LogRecord) -> bytes:
        return f"{self.format(record)}\n".encode(errors="backslashreplace")

    def _tell_of_dropped(self) -> None:
        if self.dropped > self._told:
            count, self._told = self.dropped - self._told, self.dropped
            self._put(self._encoded(_about(f"{count} log lines were dropped: their reader stood still")))

    def _put(self, line: bytes) -> None:
        self._put_bytes += len(line)
        self._queue.put(line)

    def flush(self) -> None:
        """Wait until all is written, at most a second."""
        self.acquire()
        try:
            self._tell_of_dropped()
        finally:
            self.release()
        deadline = time.monotonic() + _FLUSH_SECONDS
        self._hurry.set()
        while self._taken_bytes < self._put_bytes and time.monotonic() < deadline:
            time.sleep(0.001)
        self._hurry.clear()

    # The thread

    def _run(self) -> None:
        while True:
            lines = [self._queue.get()]
            self._hurry.wait(_GATHER_SECONDS)
            while not self._queue.empty():
                lines.append(self._queue.get())
            for piece in _joined(lines):
                _write(self._descriptor, piece)
                self._taken_bytes += len(piece)


def _about(message: str) -> logging.LogRecord:
    return logging.LogRecord(__name__, logging.WARNING, __file__, 0, message, None, None)


def _joined(lines: list[bytes]) -> list[bytes]:
    """The same lines in pieces: as many of them as fit, or one that is longer."""
    pieces = []
    piece = b""
    for line in lines:
        if piece and len(piece) + len(line) > _WRITE_MAX_BYTES:
            pieces.append(piece)
            piece = b""
        piece += line
    return [*pieces, piece]


def _write(descriptor: int, data: bytes) -> None:
    """All of it, however long that takes. What nobody can read any more is lost."""
    with contextlib.suppress(OSError):
        while data:
            try:
                data = data[os.write(descriptor, data) :]
            except BlockingIOError:  # somebody who shares the pipe has made it so
                select.select((), (descriptor,), ())
