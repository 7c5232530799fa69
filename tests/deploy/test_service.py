"""deploy/taskbeam.service: systemd accepts it, and its command is run as systemd runs it: standard output is a socket."""

from __future__ import annotations

import configparser
import re
import shlex
import socket
import subprocess
import sys
from pathlib import Path
from typing import Final

from tests.deploy.checkout import SECONDS, STOP_SECONDS, Checkout
from tests.deploy.proxies import require
from tests.support.processes import ROOT

_UNIT: Final = ROOT / "deploy" / "taskbeam.service"
_PROGRAM: Final = Path(sys.executable).with_name("taskbeam")
_INSTALLED: Final = "/opt/taskbeam/bin/taskbeam"
_DATA: Final = "/var/lib/taskbeam"


def test_systemd_finds_no_fault_in_the_unit(tmp_path: Path) -> None:
    require("systemd-analyze")
    unit = tmp_path / _UNIT.name
    unit.write_text(_UNIT.read_text().replace(_INSTALLED, str(_PROGRAM)))
    _verify(unit)


def _verify(*units: Path) -> None:
    verified = subprocess.run(
        ["systemd-analyze", "verify", *units], capture_output=True, text=True, check=False
    )
    complaints = [line for line in verified.stderr.splitlines() if any(unit.name in line for unit in units)]
    assert (verified.returncode, complaints) == (0, [])


def _service() -> configparser.SectionProxy:
    unit = configparser.ConfigParser(interpolation=None, strict=False)
    unit.read(_UNIT)
    return unit["Service"]


def test_systemd_finds_no_fault_in_the_units_of_the_page_about_proxies(tmp_path: Path) -> None:
    require("systemd-analyze")
    page = (ROOT / "docs/howto/behind_a_proxy.md").read_text()
    parts = re.split(
        r"^# (taskbeam-rest\.\w+)$", page.partition("With systemd:\n\n```\n")[2], flags=re.MULTILINE
    )
    units = dict(zip(parts[1::2], (part.partition("```")[0] for part in parts[2::2]), strict=True))
    assert set(units) == {"taskbeam-rest.socket", "taskbeam-rest.service"}
    for name, text in units.items():
        (tmp_path / name).write_text(text.replace("/srv/taskbeam/.venv/bin/python", sys.executable))
    _verify(*(tmp_path / name for name in units))


def test_the_page_installs_what_the_unit_runs() -> None:
    page = (ROOT / "docs/howto/operate.md").read_text()
    commands = page.partition("```console\n")[2].partition("```")[0].splitlines()
    service = _service()
    assert f"# useradd --system --home-dir {_DATA} {service['User']}" in commands
    assert f"# python3 -m venv {Path(_INSTALLED).parents[1]}" in commands
    assert f"# cp {_UNIT.relative_to(ROOT)} /etc/systemd/system/" in commands


def test_service_runs_where_standard_output_is_a_socket_and_stops_in_order(checkout: Checkout) -> None:
    service = _service()
    assert service["WorkingDirectory"] == _DATA
    program, *arguments = shlex.split(service["ExecStart"].replace(_DATA, str(checkout.data)))
    assert program == _INSTALLED
    ours, theirs = socket.socketpair()
    with ours, theirs:
        process = subprocess.Popen(
            [str(_PROGRAM), *arguments],
            cwd=checkout.folder,
            env=checkout.environment,
            stdin=subprocess.DEVNULL,
            stdout=theirs.fileno(),
            stderr=theirs.fileno(),
            start_new_session=True,
        )
        theirs.close()
        ours.settimeout(SECONDS)
        try:
            told = ""
            while "taskbeam: ready at " not in told:
                piece = ours.recv(65536).decode()
                assert piece, told
                told += piece
            checkout.wait_for_all()
            assert all(map(checkout.is_ready, (checkout.ws_port, checkout.rest_port)))
            process.terminate()
            assert process.wait(min(STOP_SECONDS, float(service["TimeoutStopSec"]))) == 0
        finally:
            process.kill()
        told += b"".join(iter(lambda: ours.recv(65536), b"")).decode()
    assert "INFO rest_gateway: listening on " in told
    assert "FATAL" not in told
