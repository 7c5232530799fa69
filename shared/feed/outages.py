"""What is said of something that is away: one line when it goes, and one when it is back."""

from __future__ import annotations

import logging
import time


class Outage:
    """Of one thing.

    Args:
        log: of the module that needs it.
        away: the line when it goes, before the error.
        back: the line when it is back, before how long it took.
    """

    def __init__(self, log: logging.Logger, away: str, back: str) -> None:
        self._log, self._away, self._back = log, away, back
        self.since: float | None = None
        """By the monotonic clock; ``None`` while it is there."""

    def begin(self, error: BaseException | str) -> None:
        if self.since is None:
            self.since = time.monotonic()
            self._log.warning("%s: %s", self._away, str(error) or repr(error))

    def end(self) -> None:
        if self.since is not None:
            self._log.warning("%s, after %.1f s", self._back, time.monotonic() - self.since)
            self.since = None
