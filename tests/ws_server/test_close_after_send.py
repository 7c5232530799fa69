"""Clients that send and leave: what they sent before is carried out, and leaves nothing behind."""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest

from tests.support.clients import Account, new_account
from tests.support.processes import System, running
from tests.support.raw_websocket import CLOSE, TEXT, RawSocket, client_frame, raw_socket
from tests.support.waiting import wait_until
from tests.support.write_lock import write_lock_held

WRITES: Final = 30  # more than wait in the inbox
NORMAL: Final = struct.pack("!H", 1000)
Parting = Callable[[RawSocket, bytes], None]


def _writes(first: int = 0, count: int = WRITES) -> list[bytes]:
    requests = [{"mode": "create", "data": {"task": str(number)}} for number in range(first, first + count)]
    return [client_frame(TEXT, json.dumps(request).encode()) for request in requests]


def _in_one_segment(raw: RawSocket, sent: bytes) -> None:
    raw.send(sent + client_frame(CLOSE, NORMAL))
    assert raw.close_code() == 1000


def _close_frame_by_itself(raw: RawSocket, sent: bytes) -> None:
    raw.send(sent)
    raw.send(client_frame(CLOSE, b""))


def _frame_by_frame(raw: RawSocket, sent: bytes) -> None:
    raw.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for start in range(0, len(sent), 50):
        raw.send(sent[start : start + 50])
    raw.send(client_frame(CLOSE, NORMAL))
    # To close with answers unread would reset the connection: then even the kernel drops what it had received.
    assert raw.close_code() == 1000


def _end_of_stream(raw: RawSocket, sent: bytes) -> None:
    raw.send(sent)
    raw.socket.shutdown(socket.SHUT_WR)


def _no_word(raw: RawSocket, sent: bytes) -> None:
    raw.send(sent)


def _close_frame_unread(raw: RawSocket, sent: bytes) -> None:
    raw.send(sent + client_frame(CLOSE, NORMAL))
    raw.socket.shutdown(socket.SHUT_WR)


PARTINGS: Final[list[Parting]] = [
    _in_one_segment,
    _close_frame_by_itself,
    _frame_by_frame,
    _end_of_stream,
    _no_word,
    _close_frame_unread,
]


def _tasks(account: Account) -> list[str]:
    return [task["task"] for task in account.rest("GET", "/").body]


def _all_are_carried_out(account: Account, count: int = WRITES) -> None:
    wait_until(lambda: len(_tasks(account)) >= count, 10, "all writes")
    assert _tasks(account) == [str(number) for number in range(count)], "in order, each once"


@pytest.mark.parametrize("part", PARTINGS, ids=lambda part: part.__name__.strip("_"))
@pytest.mark.parametrize("is_first", [True, False], ids=["with the auth message", "after it"])
def test_writes_before_the_end_are_carried_out(each_system: System, part: Parting, is_first: bool) -> None:
    account = new_account(each_system)
    auth = client_frame(TEXT, json.dumps({"type": "auth", "token": account.access}).encode())
    with raw_socket(each_system, None if is_first else account.access) as raw:
        part(raw, (auth if is_first else b"") + b"".join(_writes()))
    _all_are_carried_out(account)


def test_one_that_closes_its_side_alone_gets_its_answers(each_system: System) -> None:
    account = new_account(each_system)
    with raw_socket(each_system, account.access) as raw:
        raw.send(b"".join(_writes()) + client_frame(TEXT, b'{"mode": "all"}'))
        raw.socket.shutdown(socket.SHUT_WR)
        frames = [raw.receive_json() for _ in range(WRITES + 1)]
        assert [frame["task"]["task"] for frame in frames[:-1]] == [str(number) for number in range(WRITES)]
        assert len(frames[-1]["task"]) == WRITES
        with pytest.raises(ConnectionError, match="closed"):
            raw.receive_frame()


def test_what_comes_behind_a_close_frame_is_not_carried_out(each_system: System) -> None:
    account = new_account(each_system)
    with raw_socket(each_system, account.access) as raw:
        raw.send(_writes()[0] + client_frame(CLOSE, NORMAL) + _writes()[1])
        assert raw.close_code() == 1000
        raw.send(_writes()[2])
    with raw_socket(each_system, account.access) as raw:
        raw.send(_writes()[1] + client_frame(CLOSE, NORMAL))
        assert raw.close_code() == 1000
    _all_are_carried_out(account, 2)


def test_an_incomplete_frame_is_not_carried_out(each_system: System) -> None:
    account = new_account(each_system)
    with raw_socket(each_system, account.access) as raw:
        raw.send(_writes()[0] + _writes()[1][:-1])
        raw.socket.shutdown(socket.SHUT_WR)
        assert raw.receive_json()["seq"] == 1
        with pytest.raises(ConnectionError):
            raw.receive_frame()
    assert _tasks(account) == ["0"]


def test_a_used_up_rate_still_counts_after_a_reconnect(low_limits_system: System) -> None:
    account = new_account(low_limits_system)
    path = account.rest("POST", "/", {"task": "x"}).body["uuid"]
    update = client_frame(TEXT, json.dumps({"mode": "update", "task_id": path, "data": {}}).encode())
    with raw_socket(low_limits_system, account.access) as raw:
        raw.send(update * 100 + client_frame(CLOSE, NORMAL))
        assert raw.close_code() == 1000
    with raw_socket(low_limits_system, account.access) as other:
        seqs = list[int]()

        def is_still() -> bool:
            other.send_json({"mode": "ping"})
            while (frame := other.receive_json())["type"] != "pong":
                pass
            seqs.append(frame["seq"])
            return len(seqs) > 1 and seqs[-1] == seqs[-2]

        wait_until(is_still, 5, "nothing more is written")
    assert 1 + 8 <= seqs[-1] <= 1 + 12


def test_waiting_messages_are_dropped_when_we_close(each_system: System) -> None:
    account = new_account(each_system)
    with raw_socket(each_system, account.access) as raw:
        raw.send(_writes()[0] + client_frame(TEXT, b"no JSON") + b"".join(_writes(1, 5)))
        assert raw.close_code() == 4003
    with raw_socket(each_system, account.access) as raw:
        raw.send_json({"mode": "ping"})
        assert raw.receive_json()["seq"] == 1


def test_disconnected_clients_count_until_their_work_is_done(low_limits_system: System) -> None:
    """Else one user's work could be without bound."""
    account = new_account(low_limits_system)
    with write_lock_held(low_limits_system):
        for _ in range(2):
            with raw_socket(low_limits_system, account.access) as raw:
                raw.send(_writes()[0])
                raw.socket.shutdown(socket.SHUT_WR)
        with raw_socket(low_limits_system) as third:
            third.send_json({"type": "auth", "token": account.access})
            assert third.close_code() == 4009

    def is_let_in() -> bool:
        with raw_socket(low_limits_system) as raw:
            raw.send_json({"type": "auth", "token": account.access})
            return raw.receive_frame()[0] == TEXT

    wait_until(is_let_in, 5, "room for another")


def test_a_write_of_a_disconnected_client_ends_at_once_and_is_not_logged(tmp_path: Path) -> None:
    for uvloop in (True, False):
        folder = tmp_path / str(uvloop)
        folder.mkdir()
        with running(folder, uvloop=uvloop) as system:
            account = new_account(system)
            for number in range(20):
                with raw_socket(system, account.access) as raw, raw_socket(system, account.access) as other:
                    raw.send(b"".join(_writes(2 * number, 2)))
                    reset = struct.pack("ii", 1, 0)
                    other.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
            wait_until(lambda account=account: len(_tasks(account)) == 40, 10, "all writes")  # type: ignore[misc]
            assert system.ws.stop() == 0
            log = system.ws.log.read_text().partition("listening on")[2]
            system.ws.start()
        assert [line for line in log.splitlines()[1:] if " INFO " not in line] == []


def test_a_disconnected_client_does_not_delay_a_stop(tmp_path: Path) -> None:
    with running(tmp_path) as system:
        account = new_account(system)
        with closing(RawSocket(system).socket), raw_socket(system, account.access) as raw:
            with write_lock_held(system):
                raw.send(b"".join(_writes()) + client_frame(CLOSE, NORMAL))
                assert raw.close_code() == 1000
                assert system.ws.popen is not None
                system.ws.popen.terminate()
            assert system.ws.popen.wait(5) == 0
        assert _tasks(account) in (["0"], []), "at most what was in hand"
        system.ws.start()
