"""The proxies configured in ``deploy/``, on free ports, in front of a system; and a client that connects through them."""

from __future__ import annotations

import gzip
import http.client
import json
import os
import shutil
import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest

from tests.support.clients import Answer
from tests.support.ports import free_port
from tests.support.processes import ROOT, System
from tests.support.waiting import wait_until

NAME: Final = "tasks.example.org"


class Proxy(NamedTuple):
    """A proxy that listens at ``port`` of 127.0.0.1 as ``NAME``."""

    port: int
    tls: ssl.SSLContext

    @property
    def origin(self) -> str:
        return f"https://{NAME}:{self.port}"

    def connect(self, client: str = "127.0.0.1") -> http.client.HTTPConnection:
        """A connection from an address of the loopback network."""
        connection = http.client.HTTPConnection(NAME, self.port, timeout=10)
        line = socket.create_connection(("127.0.0.1", self.port), 10, source_address=(client, 0))
        connection.sock = self.tls.wrap_socket(line, server_hostname=NAME)
        return connection

    def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        headers: Mapping[str, str] | None = None,
        *,
        client: str = "127.0.0.1",
    ) -> Answer:
        connection = self.connect(client)
        try:
            content = None if body is None else json.dumps(body)
            connection.request(method, path, content, {"Content-Type": "application/json", **(headers or {})})
            answer = connection.getresponse()
            text = answer.read()
            found = {name.lower(): value for name, value in answer.getheaders()}
            if found.get("content-encoding") == "gzip":
                text = gzip.decompress(text)
            return Answer(answer.status, _decoded(text), found)
        finally:
            connection.close()


def _decoded(text: bytes) -> Any:
    try:
        return json.loads(text) if text else None
    except ValueError:
        return text.decode()


class _Program(NamedTuple):
    """How a proxy is started: its configuration with this test's paths, its command and environment."""

    command: list[str]
    environ: dict[str, str]


def require(*programs: str) -> None:
    """Skip the test where one of them is not installed; in CI, fail."""
    missing = [program for program in programs if not program_path(program)]
    if missing and os.environ.get("CI"):
        pytest.fail(f"not installed: {', '.join(missing)}")
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")


def program_path(program: str) -> str:
    """Empty where it is not installed."""
    return shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin") or ""


@contextmanager
def proxied(name: str, system: System, folder: Path) -> Iterator[Proxy]:
    """The proxy of that name in front of the system, ready."""
    with _running_proxy(name, folder, lambda port: _PROXIES[name](system, port, folder)) as proxy:
        yield proxy


@contextmanager
def cluster_proxied(gateways: list[int], workers: list[int], folder: Path) -> Iterator[Proxy]:
    """nginx with ``deploy/cluster/nginx.conf`` in front of two gateways and three WebSocket servers, given by their ports."""
    names = (
        *(f"gateway-{number}:8001" for number in (1, 2)),
        *(f"worker-{number}:8000" for number in (1, 2, 3)),
    )
    changes = {name: f"127.0.0.1:{port}" for name, port in zip(names, (*gateways, *workers), strict=True)}

    def program(port: int) -> _Program:
        site = _replaced("cluster/nginx.conf", folder, {**changes, **_nginx_paths(port, folder)})
        return _nginx_with(site, folder)

    with _running_proxy("nginx", folder, program) as proxy:
        yield proxy


@contextmanager
def _running_proxy(name: str, folder: Path, make: Callable[[int], _Program]) -> Iterator[Proxy]:
    require(name, "openssl")
    proxy = Proxy(free_port(), _make_certificate(folder))
    program = make(proxy.port)
    with (folder / "proxy.log").open("wb") as log:
        process = subprocess.Popen(
            [program_path(program.command[0]), *program.command[1:]],
            env={**os.environ, **program.environ},
            stdout=log,
            stderr=log,
        )
    try:
        wait_until(lambda: _is_ready(proxy, process, folder), 20, f"{name} is ready")
        yield proxy
    finally:
        process.terminate()
        process.wait(20)


def _is_ready(proxy: Proxy, process: subprocess.Popen[bytes], folder: Path) -> bool:
    assert process.poll() is None, (folder / "proxy.log").read_text()
    try:
        return proxy.ask("GET", "/readyz").status == 200
    except OSError:
        return False


def _make_certificate(folder: Path) -> ssl.SSLContext:
    """``cert.pem`` and ``key.pem``, and both in ``both.pem``; returns a client's context that trusts them."""
    certificate, key = folder / "cert.pem", folder / "key.pem"
    request = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "2",
    ]
    names = ["-subj", f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME}"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*request, *names, *files], check=True, capture_output=True)
    (folder / "both.pem").write_bytes(certificate.read_bytes() + key.read_bytes())
    return ssl.create_default_context(cafile=str(certificate))


def _adapt(name: str, folder: Path, system: System, changes: Mapping[str, str]) -> Path:
    """A copy of the file in ``deploy/`` in which only ports and paths are replaced."""
    ports = {
        "127.0.0.1:8000": f"127.0.0.1:{system.ws.port}",
        "127.0.0.1:8001": f"127.0.0.1:{system.gateway.port}",
    }
    return _replaced(name, folder, {**ports, **changes})


def _replaced(name: str, folder: Path, changes: Mapping[str, str]) -> Path:
    text = (ROOT / "deploy" / name).read_text()
    for old, new in changes.items():
        assert text.count(old) == 1, f"{name}: {old}"
        text = text.replace(old, new)
    copy = folder / Path(name).name
    copy.write_text(text)
    return copy


def _nginx(system: System, port: int, folder: Path) -> _Program:
    return _nginx_with(_adapt("nginx.conf", folder, system, _nginx_paths(port, folder)), folder)


def _nginx_paths(port: int, folder: Path) -> dict[str, str]:
    return {
        "listen 443 ": f"listen 127.0.0.1:{port} ",
        "/etc/ssl/taskbeam/fullchain.pem": f"{folder}/cert.pem",
        "/etc/ssl/taskbeam/privkey.pem": f"{folder}/key.pem",
    }


def _nginx_with(site: Path, folder: Path) -> _Program:
    scratch = "".join(
        f"{name}_temp_path {folder}/{name};\n"
        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    main = folder / "main.conf"
    main.write_text(
        f"daemon off;\nmaster_process off;\npid {folder}/nginx.pid;\nerror_log stderr;\nevents {{}}\n"
        f"http {{\naccess_log off;\n{scratch}include {site};\n}}\n"
    )
    return _Program(["nginx", "-e", "stderr", "-p", str(folder), "-c", str(main)], {})


def _caddy(system: System, port: int, folder: Path) -> _Program:
    file = _adapt(
        "Caddyfile",
        folder,
        system,
        {
            "\ntasks.example.org {\n": "\n{\n\tadmin off\n\tauto_https disable_redirects\n}\n"
            f"{NAME}:{port} {{\n\tbind 127.0.0.1\n\ttls {folder}/cert.pem {folder}/key.pem\n"
        },
    )
    command = ["caddy", "run", "--config", str(file), "--adapter", "caddyfile"]
    return _Program(
        command, {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    )


def _haproxy(system: System, port: int, folder: Path) -> _Program:
    changes = {"bind :443 ": f"bind 127.0.0.1:{port} ", "/etc/haproxy/taskbeam.pem": f"{folder}/both.pem"}
    return _Program(["haproxy", "-db", "-f", str(_adapt("haproxy.cfg", folder, system, changes))], {})


_PROXIES: Final[Mapping[str, Callable[[System, int, Path], _Program]]] = {
    "nginx": _nginx,
    "caddy": _caddy,
    "haproxy": _haproxy,
}
