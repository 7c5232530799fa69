"""A pseudo-terminal for a program."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Mapping
from typing import Final

_SECONDS: Final = 20.0
_SEQUENCE: Final = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal:
    """A program on a terminal of 24 lines; ``raw`` is what it has printed so far."""

    def __init__(
        self, *command: str, environ: Mapping[str, str], columns: int = 80, color: bool = True
    ) -> None:
        self._primary, secondary = pty.openpty()
        fcntl.ioctl(secondary, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        environ = {**environ, "TERM": "xterm-256color", "PYTHONUTF8": "1"}
        for name in ("COLUMNS", "LINES", "NO_COLOR"):
            environ.pop(name, None)
        if not color:
            environ["NO_COLOR"] = "1"
        self.process = subprocess.Popen(
            command, stdin=secondary, stdout=secondary, stderr=secondary, env=environ, start_new_session=True
        )
        os.close(secondary)
        self.raw = ""
        self._seen = 0

    @property
    def text(self) -> str:
        """Without what moves the cursor or sets colours."""
        return _SEQUENCE.sub("", self.raw)

    def wait_for(self, text: str) -> None:
        """Until the text is printed, after what was waited for before."""
        until = time.monotonic() + _SECONDS
        while text not in (said := self.text[self._seen :]):
            readable, _, _ = select.select([self._primary], [], [], max(0, until - time.monotonic()))
            assert readable, f"no {text!r} in {said!r}"
            self.raw += os.read(self._primary, 65536).decode(errors="replace")
        self._seen += said.index(text) + len(text)

    def interrupt(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.end()

    def end(self) -> int:
        status = self.process.wait(_SECONDS)
        try:
            while chunk := os.read(self._primary, 65536):
                self.raw += chunk.decode(errors="replace")
        except OSError:  # EIO: nobody has the other side open
            pass
        os.close(self._primary)
        return status
