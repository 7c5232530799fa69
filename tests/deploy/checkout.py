"""A folder like a checkout, in which supervisord.conf and the launcher run."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from http.client import HTTPException
from pathlib import Path
from typing import Any
from xmlrpc.client import Error, ServerProxy

import psutil
from supervisor.xmlrpc import SupervisorTransport
from websockets.sync.client import ClientConnection, connect

from tests.support.ports import free_port
from tests.support.processes import ROOT
from tests.support.waiting import wait_until

# stopwaitsecs, after which supervisord kills, and some room for a busy machine.
STOP_SECONDS = 30.0
SECONDS = 60.0
SERVE = ("-m", "taskbeam", "serve")


class Checkout:
    """A folder with what supervisord.conf expects: a new var/, free ports."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ws_port = free_port()
        while (rest_port := free_port()) == self.ws_port:
            pass
        self.rest_port = rest_port
        self.data = folder / "var"
        self.log = folder / "log"
        self.environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("TASKBEAM_", "WORKERS"))
        } | {
            "TASKBEAM_WS_PORT": str(self.ws_port),
            "TASKBEAM_REST_PORT": str(self.rest_port),
            "TASKBEAM_BCRYPT_ROUNDS": "4",
            "WORKERS": "2",
        }
        shutil.copy(ROOT / "supervisord.conf", folder)
        (folder / ".venv").symlink_to(sys.prefix)
        for package in ("shared", "ws_server", "rest_gateway"):
            (folder / package).symlink_to(ROOT / package)

    def replace(self, package: str, source: str) -> None:
        """Replace a server by a program of the test."""
        (self.folder / package).unlink()
        (self.folder / package).mkdir()
        (self.folder / package / "__init__.py").touch()
        (self.folder / package / "__main__.py").write_text(textwrap.dedent(source))
        self.environment["PYTHONPATH"] = str(self.folder)  # since the working folder is on nobody's path

    @contextlib.contextmanager
    def started(self, *command: str) -> Iterator[subprocess.Popen[bytes]]:
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, *command],
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        below: list[psutil.Process] = []
        try:
            yield process
            with contextlib.suppress(psutil.NoSuchProcess):
                below = psutil.Process(process.pid).children(recursive=True)
        except BaseException:
            with contextlib.suppress(psutil.NoSuchProcess):
                below = psutil.Process(process.pid).children(recursive=True)
            print(self.log.read_text())
            raise
        finally:
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(STOP_SECONDS)
                except subprocess.TimeoutExpired:
                    process.kill()
            for one in below:
                with contextlib.suppress(psutil.NoSuchProcess):
                    one.kill()

    def serving(self) -> contextlib.AbstractContextManager[subprocess.Popen[bytes]]:
        """`taskbeam serve`, just started."""
        return self.started(*SERVE)

    @contextlib.contextmanager
    def supervisord(self) -> Iterator[subprocess.Popen[bytes]]:
        (self.folder / "var").mkdir(mode=0o700)
        with self.started("-m", "supervisor.supervisord", "-c", "supervisord.conf") as process:
            wait_until(
                lambda: all(self.is_ready(port) for port in (self.ws_port, self.rest_port)),
                SECONDS,
                "readiness",
            )
            yield process

    def serve_to_the_end(self) -> subprocess.CompletedProcess[str]:
        """Run the launcher until it exits by itself."""
        return subprocess.run(
            [sys.executable, *SERVE],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )

    def supervisorctl(self, *command: str) -> str:
        answer = subprocess.run(
            [sys.executable, "-m", "supervisor.supervisorctl", "-c", "supervisord.conf", *command],
            cwd=self.folder,
            # Like an operator's shell: without the servers' variables.
            env={"PATH": os.environ["PATH"]},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        return answer.stdout + answer.stderr

    def pids(self) -> dict[str, int]:
        """The processes that have run for startsecs, by the names of ``supervisorctl status``, without the start of a Python."""
        transport = SupervisorTransport(serverurl=f"unix://{self.data}/supervisor.sock")
        try:
            with ServerProxy("http://localhost", transport) as supervisord:
                known: Any = supervisord.supervisor.getAllProcessInfo()
        except (OSError, HTTPException, Error):  # it does not run yet, or any more
            return {}
        return {f"{one['group']}:{one['name']}": one["pid"] for one in known if one["statename"] == "RUNNING"}

    def wait_for_all(self) -> None:
        wait_until(lambda: len(self.pids()) == 3, SECONDS, "three processes run")

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> None:
        """Kill a process, and wait for its replacement."""
        before = self.pids()[name]
        os.kill(before, number)
        wait_until(lambda: self.pids().get(name, before) != before, SECONDS, f"{name} comes back")

    def is_ready(self, port: int) -> bool:
        try:
            return self.request("GET", "/readyz", port=port)[0] == 200
        except OSError:
            return False

    def request(
        self, method: str, path: str, body: object = None, *, token: str = "", port: int | None = None
    ) -> tuple[int, Any]:
        """Status and body; OSError when there is no answer."""
        connection = http.client.HTTPConnection("127.0.0.1", port or self.rest_port, timeout=10)
        headers = {"Content-Type": "application/json"} | (
            {"Authorization": f"Bearer {token}"} if token else {}
        )
        try:
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            text = answer.read()
        except http.client.HTTPException as error:
            raise ConnectionError("cut off") from error
        finally:
            connection.close()
        is_json = answer.headers.get_content_type() == "application/json"
        return answer.status, json.loads(text) if is_json else text

    def log_in(self) -> str:
        account = {"username": "ada", "password": "correct horse battery"}
        assert self.request("POST", "/register/", account)[0] == 201
        status, tokens = self.request("POST", "/login/", account)
        assert status == 200
        access: str = tokens["access"]
        return access

    @contextlib.contextmanager
    def socket(self, token: str) -> Iterator[ClientConnection]:
        """An authenticated WebSocket that gets answers only."""
        address = f"ws://127.0.0.1:{self.ws_port}/ws/tasks/"
        with connect(address, open_timeout=10, close_timeout=2, proxy=None) as connection:
            connection.send(json.dumps({"type": "auth", "token": token, "push": False}))
            assert json.loads(connection.recv(timeout=10))["message"] == "Authentication successful"
            yield connection

    def tasks(self, token: str) -> list[str]:
        status, tasks = self.request("GET", "/", token=token)
        assert status == 200
        return [task["uuid"] for task in tasks]
