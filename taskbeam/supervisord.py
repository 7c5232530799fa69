"""``python -m taskbeam.supervisord``: supervisord below a launcher, whose end it notices by that of its standard input.

The servers get its process id in ``TASKBEAM_SUPERVISOR_PID``: they end when they have another parent.
"""

import os
import signal
import threading

from shared.parent import SUPERVISOR_PID


def _stop_after_launcher() -> None:
    """The other end of the pipe is the launcher's alone, and is closed with it, even where it is killed."""
    try:
        while os.read(0, 1024):
            pass
    finally:
        os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    from supervisor.supervisord import main

    os.environ[SUPERVISOR_PID] = str(os.getpid())
    threading.Thread(target=_stop_after_launcher, daemon=True).start()
    main()
