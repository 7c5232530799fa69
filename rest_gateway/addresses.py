"""Network addresses as clients and proxies write them: one host is one address, however it is spelled."""

from __future__ import annotations

import ipaddress
import re
from typing import Final

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_LENGTH_MAX: Final = 128  # an IPv6 address, a zone, brackets and a port
_PORT: Final = re.compile(r"(:[0-9]{1,5})?")
_HOST_AND_PORT: Final = re.compile(
    r"(?:[a-z0-9._-]{1,253}|\[[0-9a-f:.]{2,45}\])(?::([0-9]{1,5}))?", re.IGNORECASE
)
_PORT_MAX: Final = 65535
_IPV6_HOST_BITS: Final = 64  # a provider gives each customer a /64 or more (RFC 6177)


def parse_address(text: str) -> Address | None:
    """The address in ``address``, ``address:port``, ``[address]`` or ``[address]:port``; ``None`` where it is none.

    An IPv4 address inside an IPv6 one (``::ffff:192.0.2.1``) is the IPv4 address; a zone (``%eth0``) is left out.
    """
    text = text.strip()
    if len(text) > _LENGTH_MAX:
        return None
    host, port = text, ""
    if text.startswith("["):
        host, bracket, port = text[1:].partition("]")
        if not bracket:
            return None
    elif text.count(":") == 1:
        host, colon, port = text.partition(":")
        port = colon + port
    if not _PORT.fullmatch(port):
        return None
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv4Address):
        return address
    return address.ipv4_mapped or ipaddress.IPv6Address(int(address))


def is_host(text: str) -> bool:
    """Whether it is what a ``Host`` header holds: a name or an address, and a port or none (RFC 9110, section 7.2)."""
    match = _HOST_AND_PORT.fullmatch(text)
    return match is not None and int(match[1] or 0) <= _PORT_MAX


def subscriber(address: Address) -> str:
    """Whom attempts are counted for: an IPv4 address, or the /64 of an IPv6 one, all of which is one customer's."""
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    prefix = int(address) >> _IPV6_HOST_BITS << _IPV6_HOST_BITS
    return f"{ipaddress.IPv6Address(prefix)}/{_IPV6_HOST_BITS}"
