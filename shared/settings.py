"""The environment as one frozen object; every variable, its default and its meaning stand in one table."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import unquote

from shared.origins import ANY, as_browsers_write
from shared.signing_keys import KEY_RULE, is_usable

PREFIX: Final = "TASKBEAM_"


class SettingsError(Exception):
    """Bad values; ``problems`` has one line for each, naming the variable and what was expected."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class TrustedProxies(NamedTuple):
    """Peers that are believed about their clients; ``unix``: whoever connects through a Unix socket."""

    networks: tuple[Network, ...] = ()
    unix: bool = False


class Place(NamedTuple):
    """Where a process listens: on a port of all its hosts, or on an inherited socket. ``name`` begins the names of
    the variables."""

    name: str
    hosts: tuple[str, ...]
    port: int
    descriptor: int | None


@dataclass(frozen=True)
class Settings:
    """What ``VARIABLES`` says, parsed. Sizes are in bytes, times in seconds."""

    database_url: str
    events_url: str
    secret_key: str
    secret_keys_old: tuple[str, ...]
    ws_host: tuple[str, ...]
    ws_port: int
    ws_fd: int | None
    rest_host: tuple[str, ...]
    rest_port: int
    rest_fd: int | None
    allowed_origins: tuple[str, ...]
    access_token_seconds: int
    refresh_token_seconds: int
    rotate_refresh_tokens: bool
    refresh_grace_seconds: int
    bcrypt_rounds: int
    password_min_length: int
    max_tasks_per_user: int
    max_message_bytes: int
    max_buffer_bytes: int
    max_connections: int
    max_connections_per_user: int
    request_timeout_seconds: float
    messages_per_second: int
    login_attempts_per_minute: int
    auth_timeout_seconds: float
    trusted_proxies: TrustedProxies
    log_format: str
    log_level: str

    @property
    def ws_place(self) -> Place:
        return Place("WS", self.ws_host, self.ws_port, self.ws_fd)

    @property
    def rest_place(self) -> Place:
        return Place("REST", self.rest_host, self.rest_port, self.rest_fd)

    @property
    def sqlite_path(self) -> Path:
        """The database file of a ``sqlite://`` URL."""
        return Path(unquote(self.database_url.removeprefix("sqlite:///")))


class _Variable(NamedTuple):
    """One row of the table; ``parse`` raises ValueError with what was expected."""

    name: str
    default: str
    parse: Callable[[str], Any]
    help: str


def _text(value: str) -> str:
    return value


def _integer(low: int, high: int) -> Callable[[str], int]:
    def parse(value: str) -> int:
        if not re.fullmatch(r"[0-9]{1,12}", value) or not low <= int(value) <= high:
            raise ValueError(f"an integer from {low} to {high}")
        return int(value)

    return parse


def _seconds(value: str) -> float:
    if not re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,6})?", value) or not 0 < float(value) <= 86400:
        raise ValueError("a number of seconds above 0, at most 86400")
    return float(value)


def _boolean(value: str) -> bool:
    if value.lower() in ("true", "1", "yes", "on"):
        return True
    if value.lower() in ("false", "0", "no", "off"):
        return False
    raise ValueError("true or false")


def _descriptor(value: str) -> int | None:
    return _integer(0, 1_000_000)(value) if value else None


def _hosts(value: str) -> tuple[str, ...]:
    hosts = tuple(dict.fromkeys(item.strip() for item in value.split(",")))
    if not all(map(_is_host, hosts)):
        raise ValueError("host names or addresses, comma-separated, such as 127.0.0.1 or 0.0.0.0,::")
    return hosts


def _is_host(host: str) -> bool:
    if ":" in host or re.fullmatch(r"[0-9.]*", host):
        try:
            ipaddress.ip_address(host)
        except ValueError:
            return False
        return True
    return (
        len(host) <= 253 and re.fullmatch(r"([A-Za-z0-9_-]{1,63}\.)*[A-Za-z0-9_-]{1,63}\.?", host) is not None
    )


def _database_url(value: str) -> str:
    path = unquote(value.removeprefix("sqlite:///"))
    if value.startswith("sqlite:///") and path and not path.endswith(("/", ":memory:")) and "\0" not in path:
        return value
    raise ValueError("sqlite:///relative/path or sqlite:////absolute/path")


def _events_url(value: str) -> str:
    if value:
        raise ValueError("empty: this version carries changes through the database alone")
    return value


def _secret_key(value: str) -> str:
    if value and not is_usable(value):
        raise ValueError(f"{KEY_RULE}; or empty to have a key made")
    return value


def _items(value: str) -> list[str]:
    return [item.strip() for item in value.split(",") if item.strip()]


def _secret_keys(value: str) -> tuple[str, ...]:
    keys = tuple(item.strip() for item in value.split(",") if item)
    if not all(is_usable(key) for key in keys):
        raise ValueError(f"comma-separated keys, each of {KEY_RULE}")
    return keys


def _origins(value: str) -> tuple[str, ...]:
    try:
        return tuple(origin if origin == ANY else as_browsers_write(origin) for origin in _items(value))
    except ValueError:
        raise ValueError(
            "comma-separated origins such as https://example.org or http://localhost:*, or *"
        ) from None


def _trusted_proxies(value: str) -> TrustedProxies:
    items = _items(value)
    try:
        networks = tuple(_network(item) for item in items if item.lower() != "unix")
    except ValueError:
        raise ValueError("comma-separated IP addresses or networks, or unix") from None
    return TrustedProxies(networks, unix=len(networks) < len(items))


def _network(text: str) -> Network:
    """An IPv4 network inside an IPv6 one (``::ffff:10.0.0.0/104``) is the IPv4 network."""
    network = ipaddress.ip_network(text, strict=False)
    if isinstance(network, ipaddress.IPv6Network) and network.prefixlen >= 96:
        mapped = network.network_address.ipv4_mapped
        if mapped is not None:
            return ipaddress.IPv4Network((mapped, network.prefixlen - 96))
    return network


def _choice(*choices: str) -> Callable[[str], str]:
    def parse(value: str) -> str:
        found = next((choice for choice in choices if choice.lower() == value.lower()), None)
        if found is None:
            raise ValueError(f"one of {', '.join(choices)}")
        return found

    return parse


_PORT = _integer(0, 65535)
_MEBIBYTES_64 = 64 * 1024 * 1024

VARIABLES: Final = (
    _Variable(
        "DATABASE_URL",
        "sqlite:///var/taskbeam.db",
        _database_url,
        "`sqlite:///relative` or `sqlite:////absolute`",
    ),
    _Variable(
        "EVENTS_URL", "", _events_url, "fan-out between hosts; empty: the database alone carries changes"
    ),
    _Variable(
        "SECRET_KEY",
        "",
        _secret_key,
        "JWT key, at least 32 bytes, no white space at its ends, not a PEM or SSH key; empty: made once, kept beside the "
        "SQLite file",
    ),
    _Variable("SECRET_KEYS_OLD", "", _secret_keys, "comma-separated keys still accepted when verifying"),
    _Variable("WS_HOST", "127.0.0.1", _hosts, "address of the WebSocket server, or several: `0.0.0.0,::`"),
    _Variable("WS_PORT", "8000", _PORT, "port of the WebSocket server"),
    _Variable("WS_FD", "", _descriptor, "listen on this inherited socket instead"),
    _Variable("REST_HOST", "127.0.0.1", _hosts, "address of the REST gateway, or several"),
    _Variable("REST_PORT", "8001", _PORT, "port of the REST gateway"),
    _Variable("REST_FD", "", _descriptor, "listen on this inherited socket instead"),
    _Variable(
        "ALLOWED_ORIGINS",
        "http://localhost:*,http://127.0.0.1:*",
        _origins,
        "browsers' origins, for CORS and for the WebSocket handshake; `:*` is any port or none; `*` any origin",
    ),
    _Variable("ACCESS_TOKEN_SECONDS", "3600", _integer(1, 366 * 86400), "life of an access token"),
    _Variable("REFRESH_TOKEN_SECONDS", "86400", _integer(1, 3660 * 86400), "life of a refresh token"),
    _Variable("ROTATE_REFRESH_TOKENS", "false", _boolean, "`true`: each refresh returns a new refresh token"),
    _Variable(
        "REFRESH_GRACE_SECONDS",
        "30",
        _integer(0, 3600),
        "how long an old refresh token may be used again after rotation",
    ),
    _Variable("BCRYPT_ROUNDS", "12", _integer(4, 20), "cost of password hashes"),
    _Variable("PASSWORD_MIN_LENGTH", "8", _integer(1, 128), "shortest password, in characters"),
    _Variable("MAX_TASKS_PER_USER", "10000", _integer(1, 10_000_000), "tasks that a user may have"),
    _Variable(
        "MAX_MESSAGE_BYTES",
        "262144",
        _integer(8192, _MEBIBYTES_64),
        "one WebSocket message or one REST body; 8 KiB before auth",
    ),
    _Variable(
        "MAX_BUFFER_BYTES",
        "1048576",
        _integer(65536, 16 * _MEBIBYTES_64),
        "what may wait for one slow socket",
    ),
    _Variable(
        "MAX_CONNECTIONS", "50000", _integer(1, 10_000_000), "connections of one process, of either kind"
    ),
    _Variable(
        "MAX_CONNECTIONS_PER_USER",
        "100",
        _integer(1, 10_000_000),
        "sockets of one user in a worker; event streams and long polls in the gateway",
    ),
    _Variable(
        "REQUEST_TIMEOUT_SECONDS",
        "30",
        _seconds,
        "gateway: for the head of a request, and for each pause in its body or in the reading of its answer",
    ),
    _Variable(
        "MESSAGES_PER_SECOND",
        "200",
        _integer(0, 1_000_000),
        "per connection, burst of twice that; `0`: no limit",
    ),
    _Variable(
        "LOGIN_ATTEMPTS_PER_MINUTE",
        "10",
        _integer(0, 1_000_000),
        "failed logins (and wrong `current_password`s) for an account, not counting those of others at an address that "
        "has logged in to it before; times five, failed logins and registrations from an address; `0`: no limit",
    ),
    _Variable("AUTH_TIMEOUT_SECONDS", "10", _seconds, "from the TCP connection to the auth message"),
    _Variable(
        "TRUSTED_PROXIES",
        "",
        _trusted_proxies,
        "addresses and networks (`unix`: peers on a Unix socket) whose `X-Forwarded-For`, `-Proto`, `-Host` and "
        "`-Prefix` are believed",
    ),
    _Variable("LOG_FORMAT", "text", _choice("text", "json"), "`json` for one object a line"),
    _Variable(
        "LOG_LEVEL", "INFO", _choice("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"), "least level logged"
    ),
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
            hidden = re.sub(r"//.*@", "//***@", text)  # a URL may hold a password
            shown = "" if "SECRET" in variable.name else f", not {hidden!r}"
            problems.append(f"{PREFIX}{variable.name}: expected {expected}{shown}")
    if problems:
        raise SettingsError(problems)
    return Settings(**values)
