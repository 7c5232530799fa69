"""Which file a URL names."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.settings import load_settings
from shared.store.sqlite.database_path import file_of


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:///var/t.db", "var/t.db"),
        ("sqlite:////srv/t.db", "/srv/t.db"),
        ("sqlite:////srv/a%20b.db", "/srv/a b.db"),
    ],
)
def test_sqlite_url_names_a_file(url: str, path: str) -> None:
    assert file_of(load_settings({"TASKBEAM_DATABASE_URL": url}).database_url) == Path(path)
