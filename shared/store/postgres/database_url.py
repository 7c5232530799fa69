"""The URL of a PostgreSQL database: ``postgresql://user:password@host:port/name``, with libpq's parameters.

One parameter is ours: ``statement_cache_size=0`` is for a PgBouncer in transaction mode, which keeps no prepared statements.
"""

from __future__ import annotations

from typing import Final, NamedTuple
from urllib.parse import parse_qsl, urlencode, urlsplit

_CACHE: Final = "statement_cache_size"
_CACHE_DEFAULT: Final = 100


class DatabaseUrl(NamedTuple):
    """``dsn``: what asyncpg is given. ``shown``: without the password, for people."""

    dsn: str
    shown: str
    statement_cache_size: int


def parse_postgres_url(url: str) -> DatabaseUrl:
    """Raises ValueError with what was expected."""
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - raises where it is none
        query = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
        cache = int(query.pop(_CACHE, _CACHE_DEFAULT))
    except ValueError:
        cache = -1
    if (
        cache < 0
        or parts.scheme not in ("postgresql", "postgres")
        or not parts.path.strip("/")
        or parts.fragment
    ):
        raise ValueError("postgresql://user:password@host:port/name")
    dsn = parts._replace(query=urlencode(query)).geturl()
    host = parts.netloc.rpartition("@")[2]
    user = f"{parts.username}@" if parts.username else ""
    return DatabaseUrl(dsn, f"{parts.scheme}://{user}{host}{parts.path}", cache)
