"""A new version comes to a database that processes of the old one serve, with real processes."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

import pytest

from shared.store.sqlite.migrate import newest_version
from tests.support import processes
from tests.support.clients import Rest, new_account
from tests.support.databases import require_sqlite
from tests.support.ports import free_port
from tests.support.processes import ROOT, Process, System
from tests.support.waiting import wait_until

_END_SECONDS: Final = 20.0


@pytest.fixture
def newer_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the servers with one more migration."""
    # What the copy executes is no part of this program's coverage.
    for name in ("COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    copy = tmp_path / "copy"
    for package in ("shared", "ws_server", "rest_gateway", "clients"):
        shutil.copytree(ROOT / package, copy / package, ignore=shutil.ignore_patterns("__pycache__"))
    number = newest_version() + 1
    migration = copy / "shared/store/sqlite/migrations" / f"{number:04}_newer.sql"
    migration.write_text("CREATE TABLE newer (x INTEGER) STRICT;\n")
    return copy


def test_old_processes_end_before_the_schema_changes_and_refuse_it_afterwards(
    tmp_path: Path, newer_version: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    require_sqlite()
    system = System(tmp_path)
    started = list(system.processes)
    try:
        system.start()
        account = new_account(system)
        task = account.rest("POST", "/", {"task": "From before"}).body

        port = free_port()
        environ = {**system.environ, "TASKBEAM_REST_PORT": str(port)}
        newer = Process("rest_gateway", port, environ, tmp_path / "newer.log")
        started.append(newer)
        with monkeypatch.context() as patched:
            patched.setattr(processes, "ROOT", newer_version)
            newer.start()
        for process in system.processes:
            assert process.popen is not None
            assert process.popen.wait(_END_SECONDS) == 1
            assert "another version of this program brings the database up to date" in process.log.read_text()
            assert "Traceback" not in process.log.read_text()

        system.gateway.start(ready=False)
        assert system.gateway.popen is not None
        assert system.gateway.popen.wait(_END_SECONDS) == 1
        refusal = f"has schema version {newest_version() + 1}, this program knows {newest_version()}"
        wait_until(lambda: refusal in system.gateway.log.read_text(), 10, "the reason is said")

        system.rest_url = f"http://127.0.0.1:{port}"
        assert Rest(system, account.access)("GET", "/").body == [task]
        assert newer.stop() == 0
    finally:
        for process in started:
            process.kill_if_running()
