"""From the settings to running servers: what ``taskbeam serve`` does."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from shared.settings import Settings
from shared.store.opening import file_beside
from taskbeam import serve_log
from taskbeam.control import excess_bytes
from taskbeam.errors import BadSettings, CommandError
from taskbeam.instance import WORKERS, Instance, read_instance
from taskbeam.instance_lock import instance_lock, wait_for_killed_instance
from taskbeam.launcher import Launcher
from taskbeam.server_address import servers_of
from taskbeam.start_checks import start_problems
from taskbeam.supervisor_conf import CONTROL_SOCKET, FOLDER, PYTHON, write_for_instance
from taskbeam.terminal import own_terminal


def serve(
    workers: int | None, data: Path | None, env_file: Path | None, environ: Mapping[str, str], guide: str = ""
) -> None:
    """Return after an orderly end; else the log says why. ``guide``: lines to be said once both servers answer.

    Raises:
        SystemExit: 2 where the settings are bad and nothing was started, 1 where something could not be started, or has
            failed.
    """
    os.umask(0o077)
    serve_log.configure(serve_log.format_in(environ))
    try:
        instance, problems = read_instance(environ, data, env_file)
        serve_log.configure(instance.settings.log_format)
        problems += start_problems(instance)
        if problems:
            raise BadSettings(problems)
        instance.environ[WORKERS] = str(workers or instance.workers)
        # Ctrl-C before anything has started, or after everything has stopped.
        with contextlib.suppress(KeyboardInterrupt):
            _serve(instance, guide)
    except CommandError as error:
        serve_log.say_why_it_ends(error)
        raise SystemExit(error.status) from error


def _serve(instance: Instance, guide: str) -> None:
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
            relay = _relay_of(instance.settings)
            asyncio.run(Launcher(configuration, servers, environ, relay, guide).run())


def _relay_of(settings: Settings) -> list[str]:
    metrics_folder = file_beside(settings.database_url, "-metrics")
    return [sys.executable, "-m", "taskbeam.relay", settings.log_format, str(metrics_folder)]
