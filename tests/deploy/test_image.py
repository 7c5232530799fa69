"""``Containerfile``: its linter, what it says of the servers, and its steps and commands, carried out without a container."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from shared.settings import PREFIX, VARIABLES, Settings, load_settings
from tests.deploy.checkout import SECONDS, STOP_SECONDS
from tests.deploy.containerfile import FILE, IGNORED, Image, build, environ, let_in, only, stages
from tests.support.ports import free_port
from tests.support.postgresql import shared_postgresql
from tests.support.processes import ROOT, SECRET_KEY
from tests.support.valkey import shared_valkey
from tests.support.waiting import wait_until

PORTS = (Settings().ws_port, Settings().rest_port)


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    return build(tmp_path_factory.mktemp("image"))


def test_hadolint_finds_no_fault() -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    checked = subprocess.run([hadolint, FILE], capture_output=True, text=True, check=False, timeout=30)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_nothing_gets_in_but_what_is_named() -> None:
    assert [name for name in let_in() if not (ROOT / name).exists()] == []
    assert (ROOT / ".dockerignore").resolve() == IGNORED


def test_both_stages_are_of_one_python_that_we_support() -> None:
    first, last = (stage[0].text.partition(" AS ")[0] for stage in stages())
    assert first == last
    version = re.fullmatch(r"docker\.io/library/python:(3\.\d+)-slim-\w+", first)
    assert version
    assert f"Programming Language :: Python :: {version[1]}" in (ROOT / "pyproject.toml").read_text()


def test_it_runs_as_somebody_who_is_not_root_and_opens_the_ports_to_the_network() -> None:
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", only("USER").text)
    assert tuple(map(int, only("EXPOSE").text.split())) == PORTS
    assert only("STOPSIGNAL").text == signal.SIGTERM.name
    ours = {name: value for name, value in environ().items() if name.startswith(PREFIX)}
    assert {name.removeprefix(PREFIX) for name in ours} <= {variable.name for variable in VARIABLES}
    assert load_settings(ours).ws_host == load_settings(ours).rest_host == ("0.0.0.0",)


@contextmanager
def _running(
    image: Image, command: list[str], folder: Path, settings: dict[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    """A container; at the end it is stopped, and ends in order."""
    log = folder / "log"
    process = image.start(command, log, {f"{PREFIX}BCRYPT_ROUNDS": "4", **settings})
    try:
        yield process
        process.send_signal(signal.Signals[only("STOPSIGNAL").text])
        assert process.wait(STOP_SECONDS) == 0
    except BaseException:
        print(log.read_text())
        raise
    finally:
        process.kill()
        process.wait()


def _becomes_healthy(
    image: Image, process: subprocess.Popen[bytes], check: list[str], ports: dict[int, int]
) -> None:
    def is_healthy() -> bool:
        assert process.poll() is None
        return image.is_healthy(check, ports)

    wait_until(is_healthy, SECONDS, "the health check passes")


def test_without_a_command_it_is_one_machine_with_both_servers(image: Image, tmp_path: Path) -> None:
    ports = {port: free_port() for port in PORTS}
    check = only("HEALTHCHECK").words()
    settings = {f"{PREFIX}WS_PORT": str(ports[PORTS[0]]), f"{PREFIX}REST_PORT": str(ports[PORTS[1]])}
    assert not image.is_healthy(check, ports)
    with _running(image, only("CMD").words(), tmp_path, settings) as process:
        _becomes_healthy(image, process, check, ports)
    assert Path(image.mapped("/var/lib/taskbeam/taskbeam.db")).exists()


def _processes() -> dict[str, tuple[list[str], list[str]]]:
    """The commands of the compose file, and their health checks, by the module that is run."""
    services: dict[str, Any] = YAML(typ="safe").load(ROOT / "deploy/cluster/compose.yaml")["services"]
    return {
        service["command"][-1]: (service["command"], service["healthcheck"]["test"][1:])
        for service in services.values()
        if service["image"].startswith("taskbeam:")
    }


@pytest.mark.parametrize("module", ["ws_server", "rest_gateway"])
def test_with_a_command_it_is_a_process_on_postgresql_and_valkey(
    image: Image, module: str, tmp_path: Path
) -> None:
    name, port = ("WS", PORTS[0]) if module == "ws_server" else ("REST", PORTS[1])
    ports = {port: free_port()}
    settings = {
        f"{PREFIX}DATABASE_URL": shared_postgresql(),
        f"{PREFIX}EVENTS_URL": shared_valkey(),
        f"{PREFIX}SECRET_KEY": SECRET_KEY,
        f"{PREFIX}{name}_PORT": str(ports[port]),
    }
    command, check = _processes()[module]
    with _running(image, command, tmp_path, settings) as process:
        _becomes_healthy(image, process, check, ports)
    assert not image.is_healthy(check, ports)
