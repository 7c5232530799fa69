"""Which browsers' origins may talk to us, for CORS and for the WebSocket handshake."""

from __future__ import annotations

import re


class OriginPolicy:
    """Args: ``allowed`` as in the settings: exact origins, ``:*`` for any port or none, ``*`` for any origin."""

    def __init__(self, allowed: tuple[str, ...]) -> None:
        self.any = "*" in allowed
        self.patterns = [_pattern(origin) for origin in allowed if origin != "*"]

    def allows(self, origin: str) -> bool:
        return self.any or any(pattern.fullmatch(origin) for pattern in self.patterns)


def _pattern(origin: str) -> re.Pattern[str]:
    host, any_port, _ = origin.partition(":*")
    return re.compile(re.escape(host) + (r"(:[0-9]+)?" if any_port else ""))
