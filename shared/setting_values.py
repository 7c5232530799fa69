"""The text of a setting made into its value. Each parser raises ValueError with what was expected."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from typing import Final, NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

from shared.auth.signing_keys import KEY_RULE, is_usable
from shared.origins import ANY, normalized_origin
from shared.postgres_url import SCHEME as POSTGRES_SCHEME
from shared.postgres_url import parse_postgres_url

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_TLS_FILES: Final = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")


class TrustedProxies(NamedTuple):
    """Peers that are believed about their clients; ``unix``: whoever connects through a Unix socket."""

    networks: tuple[Network, ...] = ()
    unix: bool = False


def integer(low: int, high: int) -> Callable[[str], int]:
    """A parser of decimal integers in this range."""

    def parse(value: str) -> int:
        if not re.fullmatch(r"[0-9]{1,12}", value) or not low <= int(value) <= high:
            raise ValueError(f"an integer from {low} to {high}")
        return int(value)

    return parse


def parse_seconds(value: str) -> float:
    """Above 0, at most a day."""
    if not re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,6})?", value) or not 0 < float(value) <= 86400:
        raise ValueError("a number of seconds above 0, at most 86400")
    return float(value)


def parse_boolean(value: str) -> bool:
    """The words are read in any case."""
    if value.lower() in ("true", "1", "yes", "on"):
        return True
    if value.lower() in ("false", "0", "no", "off"):
        return False
    raise ValueError("true or false")


def parse_share(value: str) -> float:
    """``on`` is all, ``off`` is nothing."""
    if value.lower() in ("on", "off"):
        return float(value.lower() == "on")
    if not re.fullmatch(r"0?\.[0-9]{1,6}|[01](\.0{1,6})?", value):
        raise ValueError("on, off, or a share from 0 to 1, such as 0.01")
    return float(value)


def parse_descriptor(value: str) -> int | None:
    """The number of an open file descriptor; empty for none."""
    return integer(0, 1_000_000)(value) if value else None


def parse_hosts(value: str) -> tuple[str, ...]:
    """Names or addresses, each once, in the order given."""
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


def parse_database_url(value: str) -> str:
    """A path, relative or absolute, as in SQLAlchemy's URLs; or a database of a server."""
    if value.startswith(f"{POSTGRES_SCHEME}:"):
        parse_postgres_url(value)
        return value
    path = unquote(value.removeprefix("sqlite:///"))
    if value.startswith("sqlite:///") and path and not path.endswith(("/", ":memory:")) and "\0" not in path:
        return value
    raise ValueError(
        "sqlite:///relative/path, sqlite:////absolute/path or postgresql://user:password@host:port/name"
    )


def parse_events_url(value: str) -> str:
    """A server, with the number of a database of it as the path, or a Unix socket; or empty for none."""
    if not value:
        return value
    try:
        parts = urlsplit(value)
        options = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
        if parts.scheme == "unix":
            is_url = not parts.hostname and len(parts.path) > 1
        else:
            is_url = parts.scheme in ("redis", "rediss") and bool(parts.hostname) and parts.port != 0
            is_url = is_url and re.fullmatch(r"/?[0-9]{0,5}", parts.path) is not None
    except ValueError:
        is_url = False
    if is_url and not parts.fragment:
        allowed = _TLS_FILES if parts.scheme == "rediss" else ()
        if all(name in allowed for name, _ in options):
            return value
    raise ValueError(
        "redis://user:password@host:port/number, rediss:// for TLS, unix:///path of a socket; or empty for none"
    )


def parse_secret_key(value: str) -> str:
    """One key; empty to have one made."""
    if value and not is_usable(value):
        raise ValueError(f"{KEY_RULE}; or empty to have a key made")
    return value


def _items(value: str) -> list[str]:
    return [item.strip() for item in value.split(",") if item.strip()]


def parse_secret_keys(value: str) -> tuple[str, ...]:
    """Keys, comma-separated."""
    keys = tuple(item.strip() for item in value.split(",") if item)
    if not all(is_usable(key) for key in keys):
        raise ValueError(f"comma-separated keys, each of {KEY_RULE}")
    return keys


def parse_origins(value: str) -> tuple[str, ...]:
    """Origins as browsers send them, or ``*``."""
    try:
        return tuple(origin if origin == ANY else normalized_origin(origin) for origin in _items(value))
    except ValueError:
        raise ValueError(
            "comma-separated origins such as https://example.org or http://localhost:*, or *"
        ) from None


def parse_trusted_proxies(value: str) -> TrustedProxies:
    """Addresses and networks; ``unix`` stands for all peers on Unix sockets."""
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


def one_of(*choices: str) -> Callable[[str], str]:
    """A parser of these words, in any case."""

    def parse(value: str) -> str:
        found = next((choice for choice in choices if choice.lower() == value.lower()), None)
        if found is None:
            raise ValueError(f"one of {', '.join(choices)}")
        return found

    return parse
