"""``python -m rest_gateway``: the REST gateway as a process."""

import os
import signal
import sys

if __name__ == "__main__":
    # Importing the rest takes most of the start; whoever stops us meanwhile gets the status of an orderly end.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))

    from rest_gateway.server import serve_http
    from shared.process import run

    sys.exit(run("rest_gateway", serve_http, os.environ, lambda settings: settings.rest_place))
