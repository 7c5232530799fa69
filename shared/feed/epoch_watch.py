"""Whether the database is still the one that was opened: after a restore, its epoch is another."""

from __future__ import annotations

import asyncio
from typing import Final

from shared.errors import Unavailable
from shared.feed.source import Source

_LOOK_SECONDS: Final = 1.0


async def watch_epoch(source: Source) -> None:
    """Look every second until cancelled; to be run as one supervised task.

    Raises:
        Unavailable: the database has another epoch. What is known here, and what clients were told, is of no more use.
    """
    while True:
        await asyncio.sleep(_LOOK_SECONDS)
        try:
            epoch = await source.read_epoch()
        except Unavailable:  # whoever needs the database says so
            continue
        if epoch != source.epoch:
            raise Unavailable("the database has another epoch now: this process ends, to be started with it")
