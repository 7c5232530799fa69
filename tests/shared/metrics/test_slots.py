"""The slots in which processes publish: each is one process's at a time, and keeps its numbers for the next."""

from __future__ import annotations

import shutil
from pathlib import Path

from shared.metrics.slots import take_slot


def test_each_process_takes_the_first_free_slot_of_its_kind(tmp_path: Path) -> None:
    folder = tmp_path / "metrics"
    slots = [take_slot(folder, process) for process in ("ws_server", "ws_server", "rest_gateway")]
    assert [slot.name for slot in slots] == ["ws_server-0", "ws_server-1", "rest_gateway-0"]
    slots[0].close()
    assert take_slot(folder, "ws_server").name == "ws_server-0"


def test_who_starts_again_finds_what_the_one_before_has_written(tmp_path: Path) -> None:
    stays, ends = take_slot(tmp_path, "ws_server"), take_slot(tmp_path, "ws_server")
    ends.write(b"1")
    ends.write(b"2")
    ends.close()
    assert list(stays.others()) == [("ws_server-1", b"2", False)]
    again = take_slot(tmp_path, "ws_server")
    assert (again.name, again.read()) == ("ws_server-1", b"2")
    assert list(stays.others()) == [("ws_server-1", b"2", True)]
    assert list(again.others()) == []


def test_where_nobody_publishes_any_more_all_begins_anew(tmp_path: Path) -> None:
    for process in ("ws_server", "rest_gateway"):
        slot = take_slot(tmp_path, process)
        slot.write(b"1")
        slot.close()
    slot = take_slot(tmp_path, "ws_server")
    assert slot.read() is None
    assert list(slot.others()) == []


def test_to_look_at_a_slot_takes_it_from_nobody(tmp_path: Path) -> None:
    first = take_slot(tmp_path, "ws_server")
    second = take_slot(tmp_path, "ws_server")
    assert first.read() is None
    list(first.others())
    assert take_slot(tmp_path, "ws_server").name == "ws_server-2"
    second.write(b"1")
    assert [name for name, _, _ in first.others()] == ["ws_server-1"]


def test_a_slot_that_was_deleted_is_there_no_more(tmp_path: Path) -> None:
    folder = tmp_path / "metrics"
    slot = take_slot(folder, "ws_server")
    assert slot.is_there()
    shutil.rmtree(folder)
    assert not slot.is_there()
    assert take_slot(folder, "ws_server").is_there()
    assert not slot.is_there()
