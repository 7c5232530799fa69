"""What proxies in front say about a request, believed where they are trusted (``TASKBEAM_TRUSTED_PROXIES``)."""

from __future__ import annotations

import logging
import re
from typing import Final
from urllib.parse import urlsplit

from aiohttp import hdrs, web
from multidict import istr

from rest_gateway.addresses import Address, is_host, parse_address, subscriber
from shared.setting_values import TrustedProxies

_X_FORWARDED_PREFIX: Final = istr("X-Forwarded-Prefix")
_LINKS_BY: Final = (hdrs.X_FORWARDED_PROTO, hdrs.X_FORWARDED_HOST, _X_FORWARDED_PREFIX)
_SCHEMES: Final = ("http", "https")
_PREFIX: Final = re.compile(r"(/[\w.~!$&'()*+;=:@%-]+)*", re.ASCII)
_UNIX_PEER: Final = "unix"  # a peer on a Unix socket, which has no address

log = logging.getLogger(__name__)


class Forwarded:
    """Reads the ``X-Forwarded-`` headers of trusted peers."""

    def __init__(self, trusted: TrustedProxies) -> None:
        self._trusted = trusted
        self._has_warned = False

    def trusts_peer(self, request: web.Request) -> bool:
        """Whether what the peer says in ``X-Forwarded-`` headers is believed."""
        return self._trusts(_peer(request))

    def is_on_proxy(self, request: web.Request) -> bool:
        """Whether the client's URLs are those of a trusted proxy, and not our own."""
        return any(name in request.headers for name in _LINKS_BY) and self.trusts_peer(request)

    def path_prefix(self, request: web.Request) -> str:
        """The part of the client's path that proxies cut off, without a slash at the end."""
        return urlsplit(self.base_url(request)).path

    def base_url(self, request: web.Request) -> str:
        """Where the client reached us, without a slash at the end: scheme, host and, behind a proxy, its path prefix.

        What is no scheme, host or path is not believed of a trusted proxy either: it may pass on what a client sent.
        """
        scheme, host, prefix = request.scheme, _host(request), ""
        if self.is_on_proxy(request):
            proxies = self._proxies(request)
            protocols = _listed(request, hdrs.X_FORWARDED_PROTO)[-proxies:]
            if protocols and protocols[0].lower() in _SCHEMES:
                scheme = protocols[0].lower()
            hosts = _listed(request, hdrs.X_FORWARDED_HOST)[-proxies:]
            if hosts and is_host(hosts[0]):
                host = hosts[0]
            # Each proxy cuts off its own part of the path, the outermost first.
            prefix = "".join(part.rstrip("/") for part in _listed(request, _X_FORWARDED_PREFIX)[-proxies:])
            if not _PREFIX.fullmatch(prefix):
                prefix = ""
        return f"{scheme}://{host}{prefix}"

    def _proxies(self, request: web.Request) -> int:
        """How many trusted proxies in a row the request came through, from a trusted peer on."""
        number = 1
        for hop in reversed(_listed(request, hdrs.X_FORWARDED_FOR)):
            address = parse_address(hop)
            if address is None or not self._trusts(address):
                break
            number += 1
        return number

    def subscriber(self, request: web.Request) -> str:
        """Whom the request's attempts are counted for: see ``addresses.subscriber``.

        The client is the last hop of X-Forwarded-For that is no trusted proxy. A hop that is no address (``unknown``)
        says nothing, so the proxy that said it stands for the client.
        """
        client = _peer(request)
        if self._trusts(client):
            for hop in reversed(_listed(request, hdrs.X_FORWARDED_FOR)):
                address = parse_address(hop)
                if address is None:
                    break
                client = address
                if not self._trusts(address):
                    break
        return subscriber(client) if client is not None else _UNIX_PEER

    def warn_of_untrusted_proxy(self, request: web.Request) -> None:
        """Log once that a proxy seems to be in front that the settings do not know of.

        Without the setting all its clients count as one address, and one of them can lock out all.
        """
        if self._has_warned or hdrs.X_FORWARDED_FOR not in request.headers:
            return
        peer = _peer(request)
        if (peer is None or not peer.is_global) and not self._trusts(peer):
            self._has_warned = True
            log.warning(
                "X-Forwarded-For comes from %s, which is not in TASKBEAM_TRUSTED_PROXIES: it is not believed, and all "
                "clients behind that proxy count as one address",
                peer or "a Unix socket (unix)",
            )

    def _trusts(self, peer: Address | None) -> bool:
        if peer is None:
            return self._trusted.unix
        return any(peer in network for network in self._trusted.networks)


def _peer(request: web.Request) -> Address | None:
    """``None`` on a Unix socket."""
    return parse_address(request.remote or "")


def _listed(request: web.Request, name: str) -> list[str]:
    """What each proxy has added to a header, ours last; several lines are one list."""
    lines = request.headers.getall(name, [])
    return [item.strip() for line in lines for item in line.split(",") if item.strip()]


def _host(request: web.Request) -> str:
    """The request's own, where it is one, or the address that the client connected to.

    HTTP/1.0 needs none, and aiohttp 3.14 would then ask the name service, on the event loop.
    """
    if hdrs.HOST in request.headers and is_host(request.host):
        return request.host
    name = request.get_extra_info("sockname")
    if not isinstance(name, tuple):  # a Unix socket
        return "localhost"
    address, port = name[:2]
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
