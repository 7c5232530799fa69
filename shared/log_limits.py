"""Warnings that clients can cause at any rate: these loggers limit how many are logged."""

from __future__ import annotations

import logging
import time
from typing import Final

_INTERVAL_SECONDS: Final = 60.0
_KEY_INTERVAL_SECONDS: Final = 3600.0
_KEYS_PER_INTERVAL: Final = 20
_KEYS_REMEMBERED: Final = 100


class LimitedLogger:
    """Logs one warning a minute, with the number of those that were left out. Each kind of warning has its own."""

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger
        self._last = float("-inf")
        self._left_out = 0

    def warning(self, message: str, *args: object) -> None:
        now = time.monotonic()
        if now - self._last < _INTERVAL_SECONDS:
            self._left_out += 1
            return
        if self._left_out:
            message, args = f"{message} (and %d times more in between)", (*args, self._left_out)
        self._last, self._left_out = now, 0
        self._logger.warning(message, *args)


class KeyedLimitedLogger:
    """Logs each key, which clients choose, once an hour, and at most twenty keys a minute.

    It remembers the last hundred keys that it logged.
    """

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger
        self._logged: dict[str, float] = {}  # when each key was logged, the oldest first

    def warning(self, key: str, message: str, *args: object) -> None:
        now = time.monotonic()
        if now - self._logged.get(key, float("-inf")) < _KEY_INTERVAL_SECONDS:
            return
        latest = list(self._logged.values())[-_KEYS_PER_INTERVAL:]
        if len(latest) == _KEYS_PER_INTERVAL and now - latest[0] < _INTERVAL_SECONDS:
            return
        self._logged.pop(key, None)
        self._logged[key] = now
        if len(self._logged) > _KEYS_REMEMBERED:
            del self._logged[next(iter(self._logged))]
        self._logger.warning(message, *args)
