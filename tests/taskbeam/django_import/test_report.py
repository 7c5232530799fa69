"""The report as text: short, and with a reason for each row."""

from __future__ import annotations

from taskbeam.django_import.report import Part, Report, Row, lines


def test_a_report_without_remarks_is_two_lines() -> None:
    assert list(lines(Report(False, Part(3), Part(5, 2)))) == [
        "3 users added; 0 were here already, 0 are here and differ, 0 skipped",
        "5 tasks added; 2 were here already, 0 are here and differ, 0 skipped",
    ]


def test_a_dry_run_says_so() -> None:
    assert next(lines(Report(True, Part(3)))).startswith("3 users would be added;")


def test_many_rows_are_named_in_part() -> None:
    rows = [Row(f"{number}", "why") for number in range(25)]
    said = [
        line for line in lines(Report(False, tasks=Part(skipped=rows))) if line.startswith("skipped task")
    ]
    assert said[:2] == ["skipped task: 0: why", "skipped task: 1: why"]
    assert said[20:] == ["skipped task: and 5 more, which --json lists"]


def test_names_do_not_command_the_terminal() -> None:
    said = list(lines(Report(False, Part(skipped=[Row("a\x1b[2J\nb", "why")]))))
    assert said[2:] == ["skipped user: a�[2J b: why"]
