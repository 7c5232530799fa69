"""What a process does first: signal handlers and standard streams, before the imports, which take most of the start.

This module imports only what the interpreter has loaded already or contains, so that our handlers are set as early as
possible: a signal before that ends the process with Python's traceback. Hence ``_signal``; ``signal`` would import ``enum``.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import gc
import os
import sys

STOP_SIGNALS: tuple[int, ...] = (_signal.SIGINT, _signal.SIGTERM, _signal.SIGQUIT, _signal.SIGHUP)
"""Each asks for an orderly stop."""


def prepare() -> None:
    """Handle the stop signals, and open standard streams that are closed.

    The garbage collector is off until ``shared.process.run`` has all imported: its searches take a sixth of the imports' time
    and find nothing.
    """
    gc.disable()
    for number in stop_signals():
        _signal.signal(number, _exit)
    open_standard_streams()


def stop_signals() -> list[int]:
    """The signals that stop this process: not SIGHUP where it was ignored at the start (``nohup``)."""
    hang_up_ignored = _signal.getsignal(_signal.SIGHUP) == _signal.SIG_IGN
    return [number for number in STOP_SIGNALS if number != _signal.SIGHUP or not hang_up_ignored]


def _exit(number: int, frame: object) -> None:
    """Exit at once: nothing has been opened yet."""
    os._exit(0)


def open_standard_streams() -> None:
    """Open those that are closed. Else a socket would get such a number, and uvloop (0.22) aborts when it closes it."""
    for descriptor, mode in ((0, os.O_RDONLY), (1, os.O_WRONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, mode)  # takes the lowest free number
    if sys.stdin is None:
        sys.stdin = open(0, closefd=False)  # noqa: SIM115 - open until the process ends
    if sys.stdout is None:
        sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115
