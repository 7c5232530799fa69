"""docs/howto/several_machines.md: its commands as its reader pastes them, on two machines that are folders of this one."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import stat
import subprocess
import sys
import tempfile
import urllib.request
from contextlib import ExitStack
from email.message import Message
from pathlib import Path
from typing import Any, Final

import pytest
from ruamel.yaml import YAML

from shared.postgres_url import parse_postgres_url
from shared.settings import load_settings
from taskbeam.env_file import read_env_file
from tests.deploy.containerfile import FILE
from tests.docs.shell import bash, blocks_of, served
from tests.support.ports import free_port
from tests.support.postgresql import durable_postgresql, postgresql_programs
from tests.support.processes import ROOT
from tests.support.valkey import valkey

_PAGE: Final = ROOT / "docs" / "howto" / "several_machines.md"
_POSTGRESQL: Final = "postgresql://taskbeam@localhost:5432/taskbeam"
_VALKEY: Final = "redis://localhost:6379"
_COMPOSE: Final[dict[str, Any]] = YAML(typ="safe").load(ROOT / "deploy/cluster/compose.yaml")


class Machine:
    """A folder, and the ports of what is served from there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        rest_port = free_port()
        self._url = f"http://127.0.0.1:{rest_port}"
        self.ports = {"TASKBEAM_WS_PORT": str(free_port()), "TASKBEAM_REST_PORT": str(rest_port)}

    def ask(self, path: str, body: object = None, access: str = "") -> tuple[Any, Message]:
        """A GET, or a POST of the body: the answer's body and headers."""
        headers = {"Content-Type": "application/json"}
        if access:
            headers["Authorization"] = f"Bearer {access}"
        content = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(
            urllib.request.Request(self._url + path, content, headers), timeout=20
        ) as answer:
            return json.load(answer), answer.headers


def test_two_machines_serve_one_database_which_is_dumped_and_restored() -> None:
    with (
        tempfile.TemporaryDirectory(prefix="taskbeam-") as name,  # the path of a Unix socket is short
        durable_postgresql() as server,
        valkey() as broker,
    ):
        _serve_and_restore(Path(name), server.url, broker.url)


def _serve_and_restore(folder: Path, postgresql_url: str, valkey_url: str) -> None:
    shown = [
        block.replace(_POSTGRESQL, postgresql_url).replace(_VALKEY, valkey_url)
        for block in blocks_of(_PAGE.name)
    ]
    settings, serve, _, _, dump, restore = shown
    first, second = machines = [Machine(folder / name) for name in ("first", "second")]
    assert "PROBLEM" not in bash(settings, first.folder)
    (second.folder / "var").mkdir(mode=0o700)
    shutil.copy(first.folder / "var/.env", second.folder / "var")  # as scp -p does
    path = f"{postgresql_programs()}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    credentials = {"username": "ann", "password": "correct-horse"}
    with ExitStack() as serving:
        for machine in machines:
            serving.enter_context(served(serve, machine.folder, **machine.ports))
        first.ask("/register/", credentials)
        access = second.ask("/login/", credentials)[0]["access"]
        kept, _ = first.ask("/", {"task": "Milk"}, access)
        tasks, headers = second.ask("/", access=access)
        assert tasks == [kept]
        bash(dump, first.folder, PATH=path)
        lost, _ = second.ask("/", {"task": "Written after the dump"}, access)
        assert first.ask("/", access=access)[0] == [kept, lost]
    assert "PROBLEM" not in bash(restore, first.folder, PATH=path)
    with served(serve, second.folder, **second.ports):
        tasks, headers_after = second.ask("/", access=access)
    assert tasks == [kept]
    assert headers_after["X-Taskbeam-Epoch"] != headers["X-Taskbeam-Epoch"]


def test_the_secrets_of_the_compose_file_are_made_as_it_reads_them(tmp_path: Path) -> None:
    _, _, secrets, certificate, _, _ = blocks_of(_PAGE.name)
    cluster = tmp_path / "deploy" / "cluster"
    cluster.mkdir(parents=True)
    bash(secrets + certificate, tmp_path)
    (service,) = {
        (service["env_file"], *service["environment"].items())
        for service in _COMPOSE["services"].values()
        if "env_file" in service
    }
    env_file, *environment = service
    settings = load_settings({**read_env_file(cluster / env_file)[0], **dict(environment)})
    postgresql = _COMPOSE["services"]["postgresql"]["environment"]
    password = (cluster / _COMPOSE["secrets"]["postgresql_password"]["file"]).read_text()
    assert parse_postgres_url(settings.database_url).dsn == (
        f"postgresql://{postgresql['POSTGRES_USER']}:{password}@postgresql:5432/{postgresql['POSTGRES_DB']}"
    )
    made = [path.relative_to(tmp_path) for path in cluster.rglob("*") if path.is_file()]
    assert {path.name for path in made} == {env_file, "postgresql_password", "fullchain.pem", "privkey.pem"}
    assert {stat.S_IMODE((tmp_path / path).stat().st_mode) for path in made} == {0o600}
    ignored = subprocess.run(
        ["git", "check-ignore", *made], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ignored.stdout.splitlines() == list(map(str, made)), "none of them is committed by mistake"


def test_what_is_typed_at_a_prompt_is_of_what_there_is() -> None:
    lines = re.findall(r"^\$ (.*)$", _PAGE.read_text(), re.MULTILINE)
    (build,) = (line for line in lines if line.startswith("docker build"))
    assert f"#     {build}\n" in FILE.read_text()
    (loop,) = (line for line in lines if line.startswith("for "))
    restarted = loop.removeprefix("for one in ").partition(";")[0].split()
    services = _COMPOSE["services"].items()
    assert restarted == [name for name, service in services if "env_file" in service]
    (apply,) = (line for line in lines if line.startswith("kubectl apply"))
    assert list((ROOT / shlex.split(apply)[-1]).glob("*.yaml"))
    assert len(lines) == 6
    assert _PAGE.read_text().count("**not run**") >= 3, "none of these was run"


def test_prometheus_asks_every_process_of_the_compose_file(tmp_path: Path) -> None:
    (block,) = re.findall(r"^```yaml\n(.*?)^```$", _PAGE.read_text(), re.MULTILINE | re.DOTALL)
    (job,) = YAML(typ="safe").load(block)["scrape_configs"]
    ports = {"rest_gateway": 8001, "ws_server": 8000}
    assert job["static_configs"][0]["targets"] == [
        f"{service['networks']['frontend']['ipv4_address']}:{ports[service['command'][-1]]}"
        for service in _COMPOSE["services"].values()
        if "env_file" in service
    ]
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("no promtool here: the Debian package prometheus has it")
    (tmp_path / "prometheus.yml").write_text(block)
    shutil.copy(ROOT / "deploy/prometheus/taskbeam.rules.yml", tmp_path)
    checked = subprocess.run(
        [promtool, "check", "config", tmp_path / "prometheus.yml"], capture_output=True, check=False
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
