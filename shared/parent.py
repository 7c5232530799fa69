"""The parent of a process that ``taskbeam serve`` has started, and the end that comes with the parent's end."""

from __future__ import annotations

import asyncio
import os
from typing import Final

SUPERVISOR_PID: Final = "TASKBEAM_SUPERVISOR_PID"
"""The variable with the process id of the supervisor. A process without it goes on whatever becomes of its parent."""

_LOOK_SECONDS: Final = 0.25


async def parent_ends(supervisor: int) -> None:
    """Return once that process is not our parent, or not any more: nobody else would end us then.

    Asked for every now and again, since a parent's end sends no signal that every system has.
    """
    while os.getppid() == supervisor:  # noqa: ASYNC110 - there is no event
        await asyncio.sleep(_LOOK_SECONDS)
