"""``python -m ws_server``: the WebSocket server as a process."""

import os
import signal
import sys

if __name__ == "__main__":
    # Importing the rest takes most of the start; whoever stops us meanwhile gets the status of an orderly end.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))

    from shared.process import run
    from ws_server.server import PROCESS, serve_tasks

    sys.exit(run(PROCESS, serve_tasks, os.environ, lambda settings: settings.ws_place))
