"""``python -m ws_server``: the WebSocket server as a process."""

import os
import sys

from shared.process import run
from ws_server.server import PROCESS, serve_tasks

if __name__ == "__main__":
    sys.exit(run(PROCESS, serve_tasks, os.environ))
