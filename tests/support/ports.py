"""Free ports."""

from __future__ import annotations

import contextlib
import fcntl
import os
import random
import socket
import tempfile
from pathlib import Path
from typing import Final

_PORTS: Final = range(20000, 32000)
"""Below the kernel's ephemeral range, so that no client gets one before the server does."""

_LOCKED_FILE: Final = Path(tempfile.gettempdir(), f"taskbeam-test-ports-{os.getuid()}")
_locks = os.open(_LOCKED_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
_given: set[int] = set()


def free_port() -> int:
    """A port that no other call gets, in any process of tests that runs now.

    Its server starts later, and may be stopped for a while. So this process locks a byte of a file for each port until it ends.
    """
    while True:
        port = random.choice(_PORTS)
        if port in _given:
            continue
        with contextlib.suppress(OSError):  # another process has it
            fcntl.lockf(_locks, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
            with socket.create_server(("127.0.0.1", port)):
                _given.add(port)
                return port
