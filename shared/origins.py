"""Which origins are allowed, for CORS and for the WebSocket handshake."""

from __future__ import annotations

import ipaddress
import logging
import re
from typing import Final

import idna

from shared.log_limits import KeyedLimitedLogger
from shared.metrics.catalogue import REFUSED_ORIGINS

ANY: Final = "*"
_ORIGIN: Final = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(\[(?P<ipv6>[0-9A-Fa-f:.]+)\]|(?P<name>[^/:*?#@\[\]\s]+))"
    r"(:(?P<port>[0-9]{1,5}|\*))?"
)
_NAME: Final = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*\.?")
_DEFAULT_PORTS: Final = {"http": "80", "https": "443"}
_SHOWN_MAX: Final = 300

log = logging.getLogger(__name__)
_refused = REFUSED_ORIGINS.child()


def normalized_origin(origin: str) -> str:
    """The origin as browsers send it (WHATWG URL, "origin" and "host serializing"). Its port may be ``*``.

    Host names become lower-case ASCII (UTS 46 and Punycode), IPv6 addresses are compressed, default ports are removed.

    Raises:
        ValueError: not an origin.
    """
    found = _ORIGIN.fullmatch(origin)
    if found is None:
        raise ValueError(f"no origin: {origin}")
    scheme, port = found["scheme"].lower(), found["port"]
    host = (
        _normalized_host(found["name"])
        if found["name"]
        else f"[{ipaddress.IPv6Address(found['ipv6']).compressed}]"
    )
    if port not in (None, "*"):
        if int(port) > 65535:
            raise ValueError(f"no port: {port}")
        port = str(int(port))
    if port is None or port == _DEFAULT_PORTS.get(scheme):
        return f"{scheme}://{host}"
    return f"{scheme}://{host}:{port}"


def _normalized_host(host: str) -> str:
    # Not idna.encode: browsers accept names that cannot be registered.
    labels = idna.uts46_remap(host, std3_rules=False).split(".")
    name = ".".join(
        label if label.isascii() else f"xn--{label.encode('punycode').decode('ascii')}" for label in labels
    )
    if not _NAME.fullmatch(name):
        raise ValueError(f"no host: {host}")
    return name


class OriginPolicy:
    """``allowed``, as in the settings: exact origins, ``:*`` for any port or none, ``*`` for any origin."""

    def __init__(self, allowed: tuple[str, ...]) -> None:
        self.any = ANY in allowed
        self.patterns = [_pattern(origin) for origin in allowed if origin != ANY]
        self._limited_log = KeyedLimitedLogger(log)

    def allows(self, origin: str) -> bool:
        return self.any or any(pattern.fullmatch(origin) for pattern in self.patterns)

    def log_refused(self, origin: str) -> None:
        """Count and log that pages of an origin are refused, and by which setting."""
        _refused.value += 1
        shown = (
            origin
            if len(origin) <= _SHOWN_MAX and (origin == "null" or _ORIGIN.fullmatch(origin))
            else "(none)"
        )
        self._limited_log.warning(
            shown, "pages of the origin %s are refused: it is not in ALLOWED_ORIGINS", shown
        )


def _pattern(origin: str) -> re.Pattern[str]:
    host, any_port, _ = origin.partition(":*")
    return re.compile(re.escape(host) + (r"(:[0-9]+)?" if any_port else ""))
