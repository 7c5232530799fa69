"""A copy of the checkout, in which a newcomer types `make run` and whatever the documents say."""

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

    @property
    def environ(self) -> dict[str, str]:
        """As in a newcomer's shell: without the environment and the make that these tests run in."""
        ours = ("TASKBEAM_", "VIRTUAL_ENV", "MAKE", "MFLAGS", "WORKERS")
        environ = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        return environ | {"XDG_CONFIG_HOME": str(self.folder / "config")}

    def ported(self, text: str) -> str:
        return text.replace("localhost:8000", f"localhost:{self.ws_port}").replace(
            "localhost:8001", f"localhost:{self.rest_port}"
        )

    def bash(self, script: str, **environ: str) -> str:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", self.ported(script)],
            cwd=self.folder,
            env=self.environ | environ,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    @contextmanager
    def make_run(self) -> Iterator[subprocess.Popen[bytes]]:
        """Type `make run`, and wait for its addresses; Ctrl-C in the end, where it still runs."""
        ports = {"TASKBEAM_WS_PORT": str(self.ws_port), "TASKBEAM_REST_PORT": str(self.rest_port)}
        log = self.folder / "make-run.log"
        keyboard, terminal = os.openpty()
        with log.open("wb") as output:
            make = subprocess.Popen(
                ["make", "run"],
                cwd=self.folder,
                env=self.environ | ports,
                stdin=terminal,
                stdout=output,
                stderr=output,
                start_new_session=True,
                preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509 - what Ctrl-C is typed at
            )
        try:

            def announced() -> bool:
                assert make.poll() is None, log.read_text()
                return f"ready at http://127.0.0.1:{self.rest_port}/" in log.read_text()

            wait_until(announced, _INSTALL_SECONDS, "make run says that it is ready")
            assert f"ready at ws://127.0.0.1:{self.ws_port}/ws/tasks/" in log.read_text()
            yield make
            os.write(keyboard, b"\x03")  # Ctrl-C
            assert make.wait(40) == 0, log.read_text()
        finally:
            if make.poll() is None:
                os.killpg(make.pid, signal.SIGTERM)
                make.wait(40)
            os.close(terminal)
            os.close(keyboard)


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


def new_checkout(folder: Path) -> Checkout:
    _copy_checkout(folder)
    return Checkout(folder, free_port(), free_port())
