"""The terminal that a command was started from."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator


@contextlib.contextmanager
def own_terminal() -> Iterator[None]:
    """Have Ctrl-C come here alone: make, which waits for us, would report it as a failure of its own."""
    try:
        terminal = os.open("/dev/tty", os.O_RDWR)
    except OSError:
        yield
        return
    group = os.getpgrp()
    if group == os.getpid() or os.tcgetpgrp(terminal) != group:
        yield  # a shell has already given us the terminal, or has given it to someone else
        return
    # From the background, only who ignores SIGTTOU may give the terminal back. And nobody could wake us from
    # Ctrl-Z: the shell sees make's process group, not ours.
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    signal.signal(signal.SIGTSTP, signal.SIG_IGN)
    os.setpgid(0, 0)
    os.tcsetpgrp(terminal, os.getpgrp())
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # the terminal may be gone by now
            os.tcsetpgrp(terminal, group)
        os.close(terminal)
