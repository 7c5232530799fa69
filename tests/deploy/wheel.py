"""The wheel's environment: nothing but the wheel and what it declares, in a folder that is not to be written to."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from tests.deploy.checkout import SECONDS, STOP_SECONDS, Checkout
from tests.support.processes import ROOT
from tests.support.waiting import wait_until


class Wheel(NamedTuple):
    """An environment with the wheel installed."""

    folder: Path

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    @property
    def taskbeam(self) -> Path:
        return self.folder / "bin" / "taskbeam"

    def files(self) -> set[Path]:
        return set(self.folder.rglob("*"))


def install(folder: Path) -> Wheel:
    """Build the wheel, and install it."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    environment = folder / "environment"
    for command in (
        [*pip, "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(ROOT)],
        [sys.executable, "-m", "venv", "--without-pip", str(environment)],
    ):
        subprocess.run(command, check=True)
    [wheel] = folder.glob("taskbeam-*.whl")
    constraints = str(ROOT / "constraints.txt")
    subprocess.run(
        [
            *pip,
            "--python",
            str(environment),
            "install",
            "--quiet",
            "--no-compile",
            "-c",
            constraints,
            str(wheel),
        ],
        check=True,
    )
    for path in environment.rglob("*"):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode & 0o555)
    return Wheel(environment)


class Installation(NamedTuple):
    """Somebody with the wheel: an empty working folder, data and configuration elsewhere, the ports of a checkout."""

    wheel: Wheel
    checkout: Checkout

    @property
    def work(self) -> Path:
        return self.checkout.folder / "work"

    @property
    def data(self) -> Path:
        return self.checkout.folder / "data"

    @property
    def environment(self) -> dict[str, str]:
        environment = {
            **self.checkout.environment,
            "XDG_CONFIG_HOME": str(self.checkout.folder / "config"),
            # Compiled once for all processes, and not among the wheel's files.
            "PYTHONPYCACHEPREFIX": str(self.wheel.folder.parent / "compiled"),
            "WORKERS": "1",
        }
        # What is executed here is no part of the checkout's coverage.
        for name in ("COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG", "PYTHONPATH"):
            environment.pop(name, None)
        return environment

    @property
    def addresses(self) -> list[str]:
        """The gateway's and the WebSocket server's."""
        return [
            f"http://127.0.0.1:{self.checkout.rest_port}",
            f"ws://127.0.0.1:{self.checkout.ws_port}/ws/tasks/",
        ]

    def run(self, *arguments: str, stdin: str = "", status: int = 0) -> str:
        """Run ``taskbeam`` to its end; what it says on both outputs."""
        done = subprocess.run(
            [self.wheel.taskbeam, *arguments],
            cwd=self.work,
            env=self.environment,
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == status, done.stdout
        return done.stdout

    def run_json(self, *arguments: str) -> list[Any]:
        return [json.loads(line) for line in self.run(*arguments, "--json").splitlines()]

    @contextmanager
    def serving(self) -> Iterator[None]:
        log = self.checkout.log
        log.write_text("")
        with log.open("ab") as output:
            process = subprocess.Popen(
                [self.wheel.taskbeam, "serve", "--data", self.data],
                cwd=self.work,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        try:
            wait_until(lambda: "ready at http" in log.read_text(), SECONDS, "readiness")
            yield
        except BaseException:
            print(log.read_text())
            raise
        finally:
            process.terminate()
            status = process.wait(STOP_SECONDS)
        assert status == 0, log.read_text()

    @contextmanager
    def following(self, name: str, *command: str | Path) -> Iterator[Follower]:
        """A program that says in JSON Lines what it is told, beside this body, until Ctrl-C."""
        path, said = (self.checkout.folder / f"{name}.{output}" for output in ("jsonl", "log"))
        with path.open("wb") as output, said.open("wb") as errors:
            process = subprocess.Popen(
                command,
                cwd=self.work,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
            )
        try:
            yield Follower(path)
            assert process.poll() is None
        except BaseException:
            print(path.read_text(), said.read_text())
            raise
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(STOP_SECONDS)


class Follower(NamedTuple):
    output: Path

    def last(self) -> dict[str, Any]:
        """The last line that is about tasks; empty before the first."""
        whole = self.output.read_bytes().split(b"\n")[:-1]
        lines = [line for line in map(json.loads, whole) if not {"task", "tasks"}.isdisjoint(line)]
        return lines[-1] if lines else {}
