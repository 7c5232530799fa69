"""What a process does before it imports the rest, which takes most of its start.

Nothing is imported here that the interpreter has not loaded by itself: so what a signal ends with a traceback of Python's
own is the interpreter's start alone. Hence ``_signal`` instead of ``signal``, which imports ``enum``.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import os
import sys

END_SIGNALS: tuple[int, ...] = (_signal.SIGINT, _signal.SIGTERM, _signal.SIGQUIT, _signal.SIGHUP)
"""Each is a wish for an orderly end."""


def prepare() -> None:
    """From now on signals are orderly ends, and the standard streams are there."""
    for number in wanted_signals():
        _signal.signal(number, _end)
    _open_standard_streams()


def wanted_signals() -> list[int]:
    """Those that end this process: not the hang-up, where whoever started it has it ignored (``nohup``)."""
    hang_up_ignored = _signal.getsignal(_signal.SIGHUP) == _signal.SIG_IGN
    return [number for number in END_SIGNALS if number != _signal.SIGHUP or not hang_up_ignored]


def _end(number: int, frame: object) -> None:
    """Nothing has been begun yet."""
    os._exit(0)


def _open_standard_streams() -> None:
    """Where one was closed, the next file or socket would take its number: uvloop (0.22) aborts when it closes it."""
    for descriptor, mode in ((0, os.O_RDONLY), (1, os.O_WRONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, mode)  # takes the lowest free number
    if sys.stdout is None:
        sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115 - as long as the process
    if sys.stderr is None:
        sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115
