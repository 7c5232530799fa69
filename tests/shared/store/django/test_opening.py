"""What a path or a URL of a Django application's database opens."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from shared.store.django.opening import open_source
from shared.store.django.rows import SourceError


@pytest.mark.parametrize("scheme", ["postgresql", "postgres"])
def test_without_its_driver_postgresql_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(SourceError, match=r"pip install 'psycopg\[binary\]'"), open_source(f"{scheme}://a/b"):
        pass


@pytest.mark.parametrize("name", ["nowhere", "postgresql:", "mysql://a/b"])
def test_anything_else_is_a_file(tmp_path: Path, name: str) -> None:
    with pytest.raises(SourceError, match="there is no file"), open_source(str(tmp_path / name)):
        pass
