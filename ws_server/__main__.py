"""``python -m ws_server``: the WebSocket server as a process."""

import os
import sys

if __name__ == "__main__":
    from shared.startup import prepare

    prepare()  # first: importing the rest takes most of the start

    from shared.arguments import answer_questions

    answer_questions("ws_server", "The WebSocket server.", sys.argv[1:])

    from shared.process import run
    from ws_server.server import PROCESS, serve_tasks

    sys.exit(run(PROCESS, serve_tasks, os.environ, lambda settings: settings.ws_address))
