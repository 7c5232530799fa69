"""The settings: each is declared once, with its default, its parser and its meaning.

A setting is read from the variable ``TASKBEAM_`` and its name in capitals.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final, NamedTuple, TypeVar

from shared.postgres_url import SCHEME
from shared.setting_values import (
    TrustedProxies,
    integer,
    one_of,
    parse_boolean,
    parse_database_url,
    parse_descriptor,
    parse_events_url,
    parse_hosts,
    parse_origins,
    parse_seconds,
    parse_secret_key,
    parse_secret_keys,
    parse_share,
    parse_trusted_proxies,
)

PREFIX: Final = "TASKBEAM_"
_MEBIBYTE: Final = 1024 * 1024

T = TypeVar("T")


class SettingsError(Exception):
    """Bad values; ``problems`` has one line for each, naming the variable and what was expected."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class ListenAddress(NamedTuple):
    """Where a process listens: on a port of all its hosts, or on an inherited socket. ``name`` begins the names of
    the variables."""

    name: str
    hosts: tuple[str, ...]
    port: int
    descriptor: int | None


def setting(default: str, parse: Callable[[str], T], help: str) -> T:
    """Declare a setting. ``default`` is a text like a variable's; ``help`` is for operators, in Markdown.

    ``parse`` raises ValueError with what was expected.
    """
    return field(default=parse(default), metadata={"default": default, "parse": parse, "help": help})


@dataclass(frozen=True)
class Settings:
    """Sizes are in bytes, times in seconds."""

    database_url: str = setting(
        "sqlite:///var/taskbeam.db",
        parse_database_url,
        "`sqlite:///relative`, `sqlite:////absolute`, or `postgresql://user:password@host:port/name` for several machines",
    )
    events_url: str = setting(
        "",
        parse_events_url,
        "`redis://user:password@host:port`, one server or any of a cluster; `rediss://` for TLS (`?ssl_ca_certs=FILE` for an "
        "authority of one's own); `unix:///path`: fan-out between hosts with PostgreSQL; empty: the database alone carries "
        "changes",
    )
    secret_key: str = setting(
        "",
        parse_secret_key,
        "JWT key, at least 32 bytes, no white space at its ends, not a PEM or SSH key; empty: made once, kept beside the "
        "SQLite file; with PostgreSQL in the data folder",
    )
    secret_keys_old: tuple[str, ...] = setting(
        "", parse_secret_keys, "comma-separated keys still accepted when verifying"
    )
    ws_host: tuple[str, ...] = setting(
        "127.0.0.1", parse_hosts, "address of the WebSocket server, or several: `0.0.0.0,::`"
    )
    ws_port: int = setting("8000", integer(0, 65535), "port of the WebSocket server")
    ws_fd: int | None = setting("", parse_descriptor, "listen on this inherited socket instead")
    rest_host: tuple[str, ...] = setting("127.0.0.1", parse_hosts, "address of the REST gateway, or several")
    rest_port: int = setting("8001", integer(0, 65535), "port of the REST gateway")
    rest_fd: int | None = setting("", parse_descriptor, "listen on this inherited socket instead")
    allowed_origins: tuple[str, ...] = setting(
        "http://localhost:*,http://127.0.0.1:*",
        parse_origins,
        "browsers' origins, for CORS and for the WebSocket handshake; `:*` is any port or none; `*` any origin",
    )
    access_token_seconds: int = setting("3600", integer(1, 366 * 86400), "life of an access token")
    refresh_token_seconds: int = setting("86400", integer(1, 3660 * 86400), "life of a refresh token")
    rotate_refresh_tokens: bool = setting(
        "false", parse_boolean, "`true`: each refresh returns a new refresh token"
    )
    refresh_grace_seconds: int = setting(
        "30", integer(0, 3600), "how long an old refresh token may be used again after rotation"
    )
    bcrypt_rounds: int = setting("12", integer(4, 20), "cost of password hashes")
    password_min_length: int = setting("8", integer(1, 128), "shortest password, in characters")
    allow_registration: bool = setting(
        "true", parse_boolean, "`false`: `/register/` answers 403; accounts are made by an operator"
    )
    max_tasks_per_user: int = setting("10000", integer(1, 10_000_000), "tasks that a user may have")
    max_message_bytes: int = setting(
        "262144",
        integer(8192, 64 * _MEBIBYTE),
        "one WebSocket message or one REST body; 8 KiB before auth",
    )
    max_buffer_bytes: int = setting(
        "1048576", integer(65536, 1024 * _MEBIBYTE), "what may wait for one slow socket"
    )
    max_connections: int = setting(
        "50000", integer(1, 10_000_000), "connections of one process, of either kind"
    )
    max_connections_per_user: int = setting(
        "100",
        integer(1, 10_000_000),
        "sockets of one user in a worker; event streams and long polls in the gateway; with PostgreSQL in all workers, and in "
        "all gateways, together",
    )
    request_timeout_seconds: float = setting(
        "30",
        parse_seconds,
        "gateway: for the head of a request, and for each pause in its body or in the reading of its answer",
    )
    messages_per_second: int = setting(
        "200", integer(0, 1_000_000), "per connection, burst of twice that; `0`: no limit"
    )
    login_attempts_per_minute: int = setting(
        "10",
        integer(0, 1_000_000),
        "failed logins (and wrong `current_password`s) for an account, not counting those of others at an address that "
        "has logged in to it before; times five, failed logins and registrations from an address; `0`: no limit; with "
        "PostgreSQL all gateways count together",
    )
    auth_timeout_seconds: float = setting("10", parse_seconds, "from the TCP connection to the auth message")
    trusted_proxies: TrustedProxies = setting(
        "",
        parse_trusted_proxies,
        "addresses and networks (`unix`: peers on a Unix socket) whose `X-Forwarded-For`, `-Proto`, `-Host` and "
        "`-Prefix` are believed",
    )
    log_format: str = setting("text", one_of("text", "json"), "`json` for one object a line")
    log_level: str = setting(
        "INFO", one_of("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"), "least level logged"
    )
    access_log: float = setting(
        "0.01",
        parse_share,
        "a line at `INFO` for each WebSocket session, each request that fails, and this share of all others: `on`, `off`, "
        "or a number from 0 to 1",
    )

    @property
    def ws_address(self) -> ListenAddress:
        return ListenAddress("WS", self.ws_host, self.ws_port, self.ws_fd)

    @property
    def rest_address(self) -> ListenAddress:
        return ListenAddress("REST", self.rest_host, self.rest_port, self.rest_fd)


class Variable(NamedTuple):
    """A setting as an operator sees it: ``name`` is without the prefix."""

    name: str
    default: str
    parse: Callable[[str], Any]
    help: str


VARIABLES: Final = tuple(
    Variable(declared.name.upper(), **declared.metadata) for declared in fields(Settings)
)


def load_settings(environ: Mapping[str, str]) -> Settings:
    """Read all variables; one that is set to the empty string counts as not set.

    Raises:
        SettingsError: naming every bad value at once.
    """
    values: dict[str, Any] = {}
    problems = []
    for variable in VARIABLES:
        text = environ.get(PREFIX + variable.name) or variable.default
        try:
            values[variable.name.lower()] = variable.parse(text)
        except ValueError as expected:
            hidden = re.sub(r"//.*@|(?<=password=)[^&]*", _without_secret, text)
            shown = "" if "SECRET" in variable.name else f", not {hidden!r}"
            problems.append(f"{PREFIX}{variable.name}: expected {expected}{shown}")
    if values.get("events_url") and not values.get("database_url", SCHEME).startswith(f"{SCHEME}:"):
        problems.append(
            f"{PREFIX}EVENTS_URL: expected none with {PREFIX}DATABASE_URL=sqlite:///…, which is of one machine alone"
        )
    if problems:
        raise SettingsError(problems)
    return Settings(**values)


def _without_secret(part: re.Match[str]) -> str:
    """Part of a URL that may hold a password."""
    return "//***@" if part[0].endswith("@") else "***"
