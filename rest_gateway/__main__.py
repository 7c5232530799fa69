"""``python -m rest_gateway``: the REST gateway as a process."""

import os
import sys

if __name__ == "__main__":
    from shared.startup import prepare

    prepare()  # first: importing the rest takes most of the start

    from shared.arguments import answer_questions

    answer_questions("rest_gateway", "The REST gateway.", sys.argv[1:])

    from rest_gateway.server import PROCESS, serve_http
    from shared.process import run

    sys.exit(run(PROCESS, serve_http, os.environ, lambda settings: settings.rest_address))
