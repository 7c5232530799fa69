"""The URL of a PostgreSQL database: ``postgresql://user:password@host:port/name``, with libpq's parameters.

One parameter is ours: ``data``, the folder of the files that a process keeps on its own machine, by default ``var``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import parse_qsl, urlencode, urlsplit

SCHEME: Final = "postgresql"
_EXPECTED: Final = "postgresql://user:password@host:port/name"
_DATA: Final = "data"
_DATA_DEFAULT: Final = "var"
_SECRET: Final = ("password", "sslpassword")


class PostgresUrl(NamedTuple):
    """``dsn``: what the driver is given. ``shown``: where it is, for people. ``open``: without passwords, for PostgreSQL's
    own programs. ``data``: a folder."""

    dsn: str
    shown: str
    open: str
    data: Path


def parse_postgres_url(url: str) -> PostgresUrl:
    """Raises ValueError with what was expected."""
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - raises where it is none
        query = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
    except ValueError as error:
        raise ValueError(_EXPECTED) from error
    if parts.scheme != SCHEME or not parts.path.strip("/") or parts.fragment or "\0" in url:
        raise ValueError(_EXPECTED)
    data = Path(query.pop(_DATA, "") or _DATA_DEFAULT)
    dsn = parts._replace(query=urlencode(query)).geturl()
    host = parts.netloc.rpartition("@")[2]
    user = f"{parts.username}@" if parts.username else ""
    shown = f"{parts.scheme}://{user}{host}{parts.path}"
    public = urlencode({name: value for name, value in query.items() if name not in _SECRET})
    return PostgresUrl(dsn, shown, f"{shown}?{public}" if public else shown, data)


def with_data_folder(url: str, folder: Path) -> str:
    """The same URL with that folder, unless it names one."""
    parts = urlsplit(url)
    if any(name == _DATA for name, _ in parse_qsl(parts.query)):
        return url
    return parts._replace(query="&".join(filter(None, (parts.query, urlencode({_DATA: folder}))))).geturl()
