"""The records of decisions are numbered without a gap, dated, and in the order of their dates.

That each is in the index is tested with the other tables (`test_reference.py`), and its links in `test_documents.py`.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from tests.docs.decisions import read, records

RECORDS = records()


def test_numbers_have_no_gap() -> None:
    assert [record.number for record in RECORDS] == list(range(1, len(RECORDS) + 1))
    assert RECORDS


def test_a_file_is_named_by_its_number() -> None:
    for record in RECORDS:
        assert record.file.startswith(f"{record.number:04}-"), record.file


def test_dates_follow_the_numbers() -> None:
    dates = [record.date for record in RECORDS]
    assert dates == sorted(dates)
    assert date(2026, 11, 22) <= dates[0]  # the first commit


@pytest.mark.parametrize(
    "page",
    [
        "",
        "# 1: A title\n",
        "# 0001: A title\n\nin force\n\n**Context.** c\n\n**Decision.** d\n\n**Consequences.** e\n",
        "# 0001: A title\n\n2026-11-22, perhaps\n\n**Context.** c\n\n**Decision.** d\n\n**Consequences.** e\n",
        "# 0001: A title\n\n2026-13-22, in force\n\n**Context.** c\n\n**Decision.** d\n\n**Consequences.** e\n",
        "# 0001: A title\n\n2026-11-22, in force\n\n**Context.** c\n\n**Consequences.** e\n",
    ],
)
def test_a_page_of_another_form_is_refused(tmp_path: Path, page: str) -> None:
    path = tmp_path / "0001-a-title.md"
    path.write_text(page)
    with pytest.raises(ValueError, match=r"form of a record|month must be"):
        read(path)
