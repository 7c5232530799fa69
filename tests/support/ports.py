"""Free ports."""

from __future__ import annotations

import contextlib
import random
import socket


def free_port() -> int:
    """A port below the kernel's ephemeral range, so that no client gets it before the server does."""
    while True:
        port = random.randrange(20000, 32000)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
