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


@pytest.mark.parametrize("url", ["mysql://user:secret@host/name", "sqlite:///db.sqlite3"])
def test_another_scheme_is_said_to_be_none_without_its_password(url: str) -> None:
    with pytest.raises(SourceError, match=r"mysql|sqlite:// is not read: give the path") as refused:
        open_source(url)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    "url", ["postgresql://u:secret@[::1/db", "postgresql://u:secret%zz@h/db", "postgresql://u@h?x=1"]
)
def test_a_malformed_url_is_not_repeated(url: str) -> None:
    with pytest.raises(SourceError, match="the URL is malformed") as refused, open_source(url):
        pass
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("name", ["nowhere", "postgresql:"])
def test_anything_else_is_a_file(tmp_path: Path, name: str) -> None:
    with pytest.raises(SourceError, match="there is no file"), open_source(str(tmp_path / name)):
        pass
