"""A copy of the checkout in which `make run` has been typed, as by a newcomer."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from tests.support.ports import free_port
from tests.support.processes import ROOT
from tests.support.waiting import wait_until

_INSTALL_SECONDS: Final = 240.0


class Checkout(NamedTuple):
    """A copy that `make run` runs in; ``ported`` puts its ports in the place of the default ones."""

    folder: Path
    ws_port: int
    rest_port: int

    def ported(self, text: str) -> str:
        return text.replace("localhost:8000", f"localhost:{self.ws_port}").replace(
            "localhost:8001", f"localhost:{self.rest_port}"
        )

    def bash(self, script: str) -> str:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", self.ported(script)],
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


def _copy_checkout(folder: Path) -> None:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in listed.stdout.splitlines():
        if (ROOT / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)


@contextmanager
def made_run(folder: Path) -> Iterator[Checkout]:
    """`make run` in a fresh copy with a fresh environment; Ctrl-C in the end."""
    _copy_checkout(folder)
    copy = Checkout(folder, free_port(), free_port())
    # As from a newcomer's shell: without the environment and the make that these tests run in.
    ours = ("TASKBEAM_", "VIRTUAL_ENV", "MAKE", "MFLAGS", "WORKERS")
    environ = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    environ |= {"TASKBEAM_WS_PORT": str(copy.ws_port), "TASKBEAM_REST_PORT": str(copy.rest_port)}
    log = folder / "make-run.log"
    keyboard, terminal = os.openpty()
    with log.open("wb") as output:
        make = subprocess.Popen(
            ["make", "run"],
            cwd=folder,
            env=environ,
            stdin=terminal,
            stdout=output,
            stderr=output,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509 - what Ctrl-C is typed at
        )
    try:

        def announced() -> bool:
            assert make.poll() is None, log.read_text()
            return f"ready at http://127.0.0.1:{copy.rest_port}/" in log.read_text()

        wait_until(announced, _INSTALL_SECONDS, "make run says that it is ready")
        assert f"ready at ws://127.0.0.1:{copy.ws_port}/ws/tasks/" in log.read_text()
        yield copy
        os.write(keyboard, b"\x03")  # Ctrl-C
        assert make.wait(40) == 0, log.read_text()
    finally:
        if make.poll() is None:
            os.killpg(make.pid, signal.SIGTERM)
            make.wait(40)
        os.close(terminal)
        os.close(keyboard)
