"""The short names of tasks."""

from __future__ import annotations

from taskbeam.remote.task_names import short_names


def test_a_short_name_is_an_end_that_no_other_task_has() -> None:
    uuids = ["01a219fa-139e-7898-8010-a25832083fff", "01a219fa-139e-7898-8010-b25832083fff"]
    assert short_names(uuids) == ["a25832083fff", "b25832083fff"]
    assert short_names(uuids[:1]) == ["3fff"]


def test_it_cannot_be_taken_for_a_number_of_a_list() -> None:
    assert short_names(["01a219fa-139e-7898-8010-525832083439"]) == ["083439"]


def test_the_whole_uuid_where_nothing_less_is_unique() -> None:
    uuids = ["11111111-139e-7898-8010-525832083439", "22222222-139e-7898-8010-525832083439"]
    assert short_names(uuids) == uuids
