"""The service command that docs/howto/operate.md names, run as systemd runs it: standard output is a socket."""

from __future__ import annotations

import configparser
import re
import shlex
import socket
import subprocess
from typing import Final

from tests.deploy.checkout import SECONDS, STOP_SECONDS, Checkout
from tests.support.processes import ROOT
from tests.support.waiting import wait_until

_OPERATE: Final = ROOT / "docs" / "howto" / "operate.md"


def _unit() -> configparser.SectionProxy:
    """The service's section of the unit file."""
    found = re.search(r"^```ini\n(.*?)^```$", _OPERATE.read_text(), re.MULTILINE | re.DOTALL)
    assert found is not None
    unit = configparser.ConfigParser(interpolation=None)
    unit.read_string(found[1])
    return unit["Service"]


def test_service_runs_where_standard_output_is_a_socket_and_stops_in_order(checkout: Checkout) -> None:
    service = _unit()
    command = shlex.split(service["ExecStart"].replace(service["WorkingDirectory"], str(checkout.folder)))
    variable, _, value = str(service["Environment"]).partition("=")
    ours, theirs = socket.socketpair()
    with ours, theirs:
        process = subprocess.Popen(
            command,
            cwd=checkout.folder,
            env={**checkout.environment, variable: value},
            stdin=subprocess.DEVNULL,
            stdout=theirs.fileno(),
            stderr=theirs.fileno(),
            start_new_session=True,
        )
        theirs.close()
        try:
            ports = (checkout.ws_port, checkout.rest_port)
            wait_until(lambda: all(map(checkout.is_ready, ports)), SECONDS, "readiness")
            wait_until(lambda: len(checkout.pids()) == 1 + int(value), SECONDS, "all processes run")
            process.terminate()
            assert process.wait(min(STOP_SECONDS, float(service["TimeoutStopSec"]))) == 0
        finally:
            process.kill()
        ours.settimeout(SECONDS)
        told = b"".join(iter(lambda: ours.recv(65536), b"")).decode()
    assert "taskbeam: ready at " in told
    assert "INFO rest_gateway: listening on " in told
    assert "FATAL" not in told
