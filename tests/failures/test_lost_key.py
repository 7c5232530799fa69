"""The key file is deleted or replaced: two keys for one database are never used without a warning."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from websockets.sync.client import connect

from tests.support.clients import Account, new_account
from tests.support.processes import Process, System, running
from tests.support.waiting import wait_until

_WARNING: Final = "is another one than this database's was"
_SECONDS: Final = 10.0


def key_of(system: System) -> Path:
    return system.database.with_name(system.database.name + ".key")


def is_accepted(system: System, account: Account) -> bool:
    """Whether the WebSocket server accepts a token issued by the gateway."""
    with connect(system.ws_url) as socket:
        socket.send(json.dumps({"type": "auth", "token": account.access}))
        return bool(json.loads(socket.recv(_SECONDS))["type"] == "auth")


def exit_status(process: Process) -> int:
    assert process.popen is not None
    return process.popen.wait(_SECONDS)


def test_deleted_key_file_is_restored_and_a_process_that_starts_meanwhile_waits_for_it(
    tmp_path: Path,
) -> None:
    with running(tmp_path, SECRET_KEY="") as system:
        account = new_account(system)
        assert is_accepted(system, account)
        key = key_of(system).read_text()
        system.ws.stop()
        key_of(system).unlink()
        system.ws.start()
        assert key_of(system).read_text() == key
        assert is_accepted(system, account)
        assert system.gateway.log_lines("was deleted, and is put back")
        assert _WARNING not in system.logs()


def test_new_key_for_a_database_with_users_is_logged(tmp_path: Path) -> None:
    with running(tmp_path, SECRET_KEY="") as system:
        former = new_account(system)
        for process in system.processes:
            process.stop()
        key_of(system).unlink()
        system.start()
        wait_until(lambda: _WARNING in system.logs(), _SECONDS, "the warning")
        assert not is_accepted(system, former)
        assert is_accepted(system, new_account(system))


def test_another_key_in_the_file_ends_the_processes(tmp_path: Path) -> None:
    with running(tmp_path, SECRET_KEY="") as system:
        key_of(system).write_text("another key, of more than 32 bytes")
        for process in system.processes:
            assert exit_status(process) == 1
            logged = process.log.read_text()
            assert logged.count(" CRITICAL ") == 1
            assert "holds another key now" in logged
            assert "another key, of" not in logged
        system.start()
        assert is_accepted(system, new_account(system))


def test_two_keys_in_the_settings_of_one_database_are_logged(tmp_path: Path) -> None:
    with running(tmp_path) as system:
        new_account(system)
        assert _WARNING not in system.logs()
        system.ws.stop()
        system.ws.environ = {**system.ws.environ, "TASKBEAM_SECRET_KEY": "k" * 40}
        system.ws.start()
        wait_until(lambda: _WARNING in system.ws.log.read_text(), _SECONDS, "the warning")
        assert "TASKBEAM_SECRET_KEY" in system.ws.log.read_text()


def test_rotated_key_is_accepted_without_a_warning(tmp_path: Path) -> None:
    with running(tmp_path) as system:
        account = new_account(system)
        former = system.environ["TASKBEAM_SECRET_KEY"]
        for process in system.processes:
            process.stop()
            process.environ = {
                **process.environ,
                "TASKBEAM_SECRET_KEY": "k" * 40,
                "TASKBEAM_SECRET_KEYS_OLD": former,
            }
        system.start()
        assert is_accepted(system, account)
        assert _WARNING not in system.logs()
