"""``python -m rest_gateway``: the REST gateway as a process."""

import os
import sys

from rest_gateway.server import serve_http
from shared.process import run

if __name__ == "__main__":
    sys.exit(run("rest_gateway", serve_http, os.environ))
