"""A change on its way to the sockets of its user, encoded once for all of them."""

from __future__ import annotations

import msgspec

from shared.models import Change
from ws_server.frames import text_on_the_wire


class Push(msgspec.Struct):
    """``frame`` is the change's task frame, as JSON."""

    change: Change
    frame: bytes
    _on_the_wire: bytes | None = None

    @property
    def on_the_wire(self) -> bytes:
        """Made for the first socket that needs it: a requester gets ``frame`` with its request's id instead."""
        if self._on_the_wire is None:
            self._on_the_wire = text_on_the_wire(self.frame)
        return self._on_the_wire
