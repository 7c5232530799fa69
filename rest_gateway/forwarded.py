"""What proxies in front say about a request, believed where they are trusted (``TASKBEAM_TRUSTED_PROXIES``)."""

from __future__ import annotations

import logging
from typing import Final

from aiohttp import hdrs, web

from rest_gateway.addresses import Address, parse_address, subscriber
from shared.settings import TrustedProxies

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

    def subscriber(self, request: web.Request) -> str:
        """Whom the request's attempts are counted for: see ``addresses.subscriber``.

        The client is the last hop of X-Forwarded-For that is no trusted proxy. A hop that is no address (``unknown``)
        says nothing, so the proxy that said it stands for the client.
        """
        client = _peer(request)
        if self._trusts(client):
            for hop in reversed(_hops(request)):
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


FORWARDED: Final = web.AppKey("forwarded", Forwarded)


def _peer(request: web.Request) -> Address | None:
    """``None`` on a Unix socket."""
    return parse_address(request.remote or "")


def _hops(request: web.Request) -> list[str]:
    lines = request.headers.getall(hdrs.X_FORWARDED_FOR, [])
    return [hop for line in lines for hop in line.split(",") if hop.strip()]
