"""Processes that start before the server of their database does."""

from __future__ import annotations

from pathlib import Path

from shared.postgres_url import with_data_folder
from tests.support.clients import new_account
from tests.support.postgresql import durable_postgresql
from tests.support.processes import System


def test_they_wait_for_it_and_can_be_stopped_meanwhile(tmp_path: Path) -> None:
    with durable_postgresql() as server:
        server.stop()
        system = System(
            tmp_path,
            {"TASKBEAM_DATABASE_URL": with_data_folder(server.url, tmp_path), "TASKBEAM_EVENTS_URL": ""},
        )
        try:
            for process in system.processes:
                process.start(ready=False)
            for process in system.processes:
                process.log_lines("waiting for it")
            assert system.gateway.stop() == 0
            server.start()
            system.gateway.start()
            system.ws.wait_ready()
            assert new_account(system).rest("GET", "/").status == 200
            for process in system.processes:
                assert process.stop() == 0
                assert process.log.read_text().count("waiting for it") == 1
                assert "Traceback" not in process.log.read_text()
        finally:
            for process in system.processes:
                process.kill_if_running()
