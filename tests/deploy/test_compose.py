"""``deploy/cluster/compose.yaml``: its schema and its linter accept it, and what it says agrees with the servers and with nginx.

Not run: there is no Docker here. ``test_image.py`` runs the commands and the health checks of our processes.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest
from ruamel.yaml import YAML

import rest_gateway.server
import ws_server.server
from shared.settings import PREFIX, VARIABLES, Settings, load_settings
from shared.store.postgres.pool import CONNECTIONS_MAX
from tests.deploy.containerfile import FILE, VERSION
from tests.deploy.proxies import NAME, program_path, require
from tests.support.processes import ROOT, SECRET_KEY

_CLUSTER: Final = ROOT / "deploy" / "cluster"
_FILE: Final = _CLUSTER / "compose.yaml"
_COMPOSE: Final[dict[str, Any]] = YAML(typ="safe").load(_FILE)
_SERVICES: Final[dict[str, Any]] = _COMPOSE["services"]
_POSTGRESQL_CONNECTIONS: Final = 100  # max_connections, unless it is set


def _ours() -> dict[str, Any]:
    """The services that are processes of ours."""
    return {name: service for name, service in _SERVICES.items() if "taskbeam:" in service["image"]}


def _address(service: dict[str, Any]) -> str:
    address: str = service["networks"]["frontend"]["ipv4_address"]
    return address


@pytest.mark.parametrize(
    "command",
    [
        ["check-jsonschema", "--builtin-schema", "vendor.compose-spec"],
        ["compose-lint", "check", "--fail-on", "high"],
    ],
    ids=lambda command: str(command[0]),
)
def test_a_linter_finds_no_fault(command: list[str]) -> None:
    program, *arguments = command
    checked = subprocess.run(
        [Path(sys.executable).with_name(program), *arguments, _FILE],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_it_has_two_gateways_and_three_websocket_servers_of_this_version_and_whatever_they_wait_for() -> None:
    modules = [service["command"][-1] for service in _ours().values()]
    assert sorted(modules) == ["rest_gateway"] * 2 + ["ws_server"] * 3
    assert {service["image"] for service in _ours().values()} == {f"taskbeam:{VERSION}"}
    assert f" --tag taskbeam:{VERSION} " in FILE.read_text()
    for service in _SERVICES.values():
        for name, needed in service.get("depends_on", {}).items():
            assert needed == {"condition": "service_healthy"}
            assert _SERVICES[name]["healthcheck"]["test"][0] == "CMD"
        assert service["restart"] == "unless-stopped"
    assert len(_ours()) * CONNECTIONS_MAX < _POSTGRESQL_CONNECTIONS / 2, "room for a restart of all"


def test_its_settings_are_settings_and_no_secret_is_in_it() -> None:
    (settings,) = {tuple(service["environment"].items()) for service in _ours().values()}
    environ = {
        **dict(settings),
        f"{PREFIX}DATABASE_URL": "postgresql://taskbeam@postgresql/taskbeam",
        f"{PREFIX}SECRET_KEY": SECRET_KEY,
    }
    assert {name.removeprefix(PREFIX) for name in environ} <= {variable.name for variable in VARIABLES}
    loaded = load_settings(environ)
    assert loaded.events_url == "redis://valkey:6379"
    assert loaded.allowed_origins == (f"https://{NAME}",)
    assert (
        loaded.trusted_proxies
        == load_settings({f"{PREFIX}TRUSTED_PROXIES": _address(_SERVICES["nginx"])}).trusted_proxies
    )
    assert not re.search(r"password(?!_file|:|\])\S*[:=] *\S", _FILE.read_text(), re.IGNORECASE)
    assert all(service["env_file"] == "taskbeam.env" for service in _ours().values())


def test_a_process_has_longer_than_it_takes_to_end_and_files_for_all_connections() -> None:
    drains = (ws_server.server._DRAIN_TIMEOUT, rest_gateway.server._DRAIN_TIMEOUT)
    for service in _ours().values():
        seconds = re.fullmatch(r"(\d+)s", service["stop_grace_period"])
        assert seconds
        assert int(seconds[1]) > max(drains) + 5
        assert service["ulimits"]["nofile"] > Settings().max_connections


def test_nginx_knows_the_processes_by_the_addresses_that_they_have() -> None:
    site = (_CLUSTER / "nginx.conf").read_text()
    ports = {"ws_server": Settings().ws_port, "rest_gateway": Settings().rest_port}
    assert dict(re.findall(r"^    server ([\w-]+):(\d+) max_fails=0;$", site, re.MULTILINE)) == {
        name: str(ports[service["command"][-1]]) for name, service in _ours().items()
    }
    nginx = _SERVICES["nginx"]
    assert nginx["extra_hosts"] == {name: _address(service) for name, service in _ours().items()}
    addresses = [*nginx["extra_hosts"].values(), _address(nginx)]
    assert len(set(addresses)) == len(addresses)
    (network,) = _COMPOSE["networks"]["frontend"]["ipam"]["config"]
    assert network["subnet"] == "192.168.217.0/24"
    assert all(address.startswith("192.168.217.") for address in addresses)


def test_nginx_tells_what_the_one_of_a_single_machine_tells() -> None:
    """That one is run with clients of several addresses."""

    def told(file: Path) -> list[str]:
        return re.findall(
            r"^ +(proxy_set_header \S+ .*;|proxy_(?:read|send)_timeout .*;)$", file.read_text(), re.MULTILINE
        )

    assert told(_CLUSTER / "nginx.conf") == told(ROOT / "deploy" / "nginx.conf") != []


def test_what_nginx_is_given_is_there_and_is_what_it_reads(tmp_path: Path) -> None:
    require("nginx", "openssl")
    mounts = dict(volume.removesuffix(":ro").split(":") for volume in _SERVICES["nginx"]["volumes"])
    assert mounts == {
        "./nginx.main.conf": "/etc/nginx/nginx.conf",
        "./nginx.conf": "/etc/nginx/conf.d/default.conf",
        "./tls": "/etc/ssl/taskbeam",
    }
    (tmp_path / "conf.d").mkdir()
    site = (_CLUSTER / "nginx.conf").read_text()
    for name in _ours():
        site = site.replace(f"{name}:", "127.0.0.1:")
    (tmp_path / "conf.d/default.conf").write_text(site.replace("/etc/ssl/taskbeam", str(tmp_path)))
    files = ["-keyout", str(tmp_path / "privkey.pem"), "-out", str(tmp_path / "fullchain.pem")]
    made = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={NAME}", *files]
    subprocess.run([program_path("openssl"), *made], check=True, capture_output=True)
    main = (_CLUSTER / "nginx.main.conf").read_text()
    for old, new in {"user nginx;\n": "", "/run/": f"{tmp_path}/", "/etc/nginx/": f"{tmp_path}/"}.items():
        assert old in main
        main = main.replace(old, new)
    (tmp_path / "nginx.conf").write_text(main)
    command = [
        program_path("nginx"),
        "-t",
        "-e",
        "stderr",
        "-p",
        str(tmp_path),
        "-c",
        str(tmp_path / "nginx.conf"),
    ]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    assert "[warn]" not in checked.stderr.replace("listen ... http2", ""), checked.stderr
