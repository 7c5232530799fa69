"""From the settings to running servers: what ``taskbeam serve`` does."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from pathlib import Path

from taskbeam.control import excess_bytes
from taskbeam.errors import BadSettings, CommandError
from taskbeam.instance import WORKERS, Instance, read_instance
from taskbeam.instance_lock import instance_lock, wait_for_killed_instance
from taskbeam.launcher import Launcher
from taskbeam.server_address import servers_of
from taskbeam.start_checks import start_problems
from taskbeam.supervisor_conf import CONTROL_SOCKET, FOLDER, PYTHON, write_for_instance
from taskbeam.terminal import own_terminal


def serve(workers: int | None, data: Path | None, env_file: Path | None) -> None:
    """Return after an orderly end.

    Raises:
        BadSettings: nothing was started.
        CommandError: something could not be started, or has failed.
    """
    os.umask(0o077)
    instance, problems = read_instance(os.environ, data, env_file)
    problems += start_problems(instance)
    if problems:
        raise BadSettings(problems)
    instance.environ[WORKERS] = str(workers or instance.workers)
    with contextlib.suppress(KeyboardInterrupt):  # before there was anything to stop, or after all of it had
        _serve(instance)


def _serve(instance: Instance) -> None:
    control_socket = instance.data / CONTROL_SOCKET
    if excess := excess_bytes(control_socket):
        raise CommandError(
            f"the path of the data folder is {excess} bytes too long for a Unix socket in it: {instance.data}"
        )
    servers = servers_of(instance.settings)
    with instance_lock(instance.settings):
        try:
            instance.data.mkdir(mode=0o700, parents=True, exist_ok=True)
            wait_for_killed_instance(control_socket, servers)
            configuration = write_for_instance(instance.data)
        except OSError as error:
            raise CommandError(f"{instance.data}: {error.strerror}") from error
        environ = {
            **instance.environ,
            PYTHON: sys.executable,
            FOLDER: os.getcwd(),
            "PYTHONSAFEPATH": "1",  # what lies in the working folder is nobody's module
        }
        with own_terminal():
            asyncio.run(Launcher(configuration, servers, environ).run())
