"""A Valkey server of a test's own, from whatever has its program here; it can be stopped, started again and frozen."""

from __future__ import annotations

import atexit
import functools
import os
import signal
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import Final

import pytest

from tests.support.hosts import THIS_MACHINE, Host
from tests.support.ports import free_port
from tests.support.programs import VALKEY, find_valkey
from tests.support.waiting import wait_until

_SECONDS: Final = 30


class ValkeyServer:
    """It keeps nothing on disk.

    Args:
        options: more of them, for its command line.
    """

    def __init__(self, program: str, host: Host, options: Sequence[str] = ()) -> None:
        self._program = program
        self._host = host
        self.options = options
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()

    @property
    def url(self) -> str:
        return f"redis://{self._host.address}:{self.port}"

    def start(self) -> None:
        address = self._host.address
        with self._host.entered():
            process = self._process = subprocess.Popen(
                [
                    *(*self._host.prefix, self._program, "--port", str(self.port), "--bind", address),
                    *("--protected-mode", "no", "--save", "", "--appendonly", "no", "--daemonize", "no"),
                    *self.options,
                ],
                stdout=subprocess.DEVNULL,
            )

        def is_ready() -> bool:
            assert process.poll() is None, "it has ended"
            with (
                suppress(OSError),
                self._host.entered(),
                socket.create_connection((address, self.port), 1) as connection,
            ):
                connection.sendall(b"PING\r\n")
                return connection.recv(7) in (b"+PONG\r\n", b"-NOAUTH")
            return False

        wait_until(is_ready, _SECONDS, "Valkey answers")

    def stop(self) -> None:
        """Kill it; it may be frozen."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(_SECONDS)
            self._process = None

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """It takes connections and bytes, and does nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)


@contextmanager
def valkey(host: Host = THIS_MACHINE, options: Sequence[str] = ()) -> Iterator[ValkeyServer]:
    """A server that runs, with these options, too. Skips the test where Valkey is not installed; in CI, fails."""
    server = ValkeyServer(valkey_program(), host, options)
    try:
        server.start()
        yield server
    finally:
        server.stop()


@functools.cache
def shared_valkey() -> str:
    """The URL of a server that all tests of this process share; it ends with the process."""
    stack = ExitStack()
    url = stack.enter_context(valkey()).url
    atexit.register(stack.close)
    return url


def valkey_program() -> str:
    """Its path."""
    if found := find_valkey():
        return found
    reason = f"Valkey is not installed: not as a wheel, no valkey-server; {VALKEY} names its program"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)
