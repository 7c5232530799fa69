"""URLs of PostgreSQL databases."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.postgres_url import parse_postgres_url, with_data_folder


def test_a_url_is_shown_without_its_password() -> None:
    url = parse_postgres_url("postgresql://ann:secret@db:5433/tasks?sslmode=require")
    assert url.dsn == "postgresql://ann:secret@db:5433/tasks?sslmode=require"
    assert url.shown == "postgresql://ann@db:5433/tasks"
    assert url.open == "postgresql://ann@db:5433/tasks?sslmode=require"
    url = parse_postgres_url("postgresql://a%3Ann:s:e@db/tasks?password=secret&sslpassword=secret")
    assert url.shown == url.open == "postgresql://a%3Ann@db/tasks"


def test_the_data_folder_is_a_parameter_of_ours() -> None:
    url = "postgresql://db/tasks?sslmode=require"
    assert parse_postgres_url(url).data == Path("var")
    moved = with_data_folder(url, Path("/srv/a b"))
    assert parse_postgres_url(moved).data == Path("/srv/a b")
    assert parse_postgres_url(moved).dsn == url
    assert with_data_folder(moved, Path("/elsewhere")) == moved
    assert parse_postgres_url(with_data_folder("postgresql://db/tasks", Path("x"))).data == Path("x")


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://db",
        "postgresql://db/",
        "mysql://db/tasks",
        "postgres://db/tasks",
        "postgresql://db:port/tasks",
        "postgresql://db/tasks?=x&y",
        "postgresql://db/tasks#part",
        "postgresql://[db/tasks",
    ],
)
def test_what_is_none_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="postgresql://user:password@host:port/name"):
        parse_postgres_url(url)
