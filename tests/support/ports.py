"""Ports that nobody listens on."""

from __future__ import annotations

import contextlib
import random
import socket


def free_port() -> int:
    """Below the range that the kernel takes ports from by itself, so that no client gets it in the meantime."""
    while True:
        port = random.randrange(20000, 32000)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
