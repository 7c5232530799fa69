"""``deploy/cluster/kubernetes/``: Kubernetes' own schemas accept it, and what it says agrees with the servers. Not run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest
from ruamel.yaml import YAML

import rest_gateway.server
import ws_server.server
from rest_gateway.app import ENDPOINTS
from shared.settings import PREFIX, VARIABLES, Settings, load_settings
from tests.deploy.containerfile import VERSION, only
from tests.deploy.proxies import NAME
from tests.support.processes import ROOT, SECRET_KEY

_FOLDER: Final = ROOT / "deploy" / "cluster" / "kubernetes"
_FILES: Final = sorted(_FOLDER.glob("*.yaml"))


def _objects(kind: str) -> dict[str, Any]:
    found = [each for file in _FILES for each in YAML(typ="safe").load_all(file) if each["kind"] == kind]
    return {each["metadata"]["name"]: each for each in found}


_DEPLOYMENTS: Final = _objects("Deployment")


def _pod(deployment: Any) -> Any:
    return deployment["spec"]["template"]["spec"]


def test_its_schemas_accept_it() -> None:
    program = Path(sys.executable).with_name("kubernetes-validate")
    checked = subprocess.run(
        [program, "--strict", *_FILES], capture_output=True, text=True, check=False, timeout=60
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert checked.stdout.count(" passed for resource ") == 8, checked.stdout


def test_each_process_is_one_of_the_image_and_has_its_port() -> None:
    containers = {name: _pod(deployment)["containers"] for name, deployment in _DEPLOYMENTS.items()}
    found = {name: (container["command"], container["ports"]) for name, (container,) in containers.items()}
    ports = Settings().rest_port, Settings().ws_port
    assert found == {
        f"taskbeam-{name}": (["python", "-m", module], [{"name": "http", "containerPort": port}])
        for name, module, port in zip(
            ("gateway", "worker"), ("rest_gateway", "ws_server"), ports, strict=True
        )
    }
    tags = {container["image"].rpartition("/")[2] for (container,) in containers.values()}
    assert tags == {f"taskbeam:{VERSION}"}


@pytest.mark.parametrize("name", _DEPLOYMENTS)
def test_a_pod_is_asked_where_the_process_answers(name: str) -> None:
    (container,) = _pod(_DEPLOYMENTS[name])["containers"]
    probes = {probe: container[f"{probe}Probe"]["httpGet"] for probe in ("startup", "readiness", "liveness")}
    assert {get["port"] for get in probes.values()} == {"http"}
    assert {probe: get["path"] for probe, get in probes.items()} == {
        "startup": "/healthz",
        "readiness": "/readyz",
        "liveness": "/healthz",
    }
    assert {get["path"] for get in probes.values()} <= set(ENDPOINTS)


@pytest.mark.parametrize("name", _DEPLOYMENTS)
def test_a_pod_ends_in_time_and_another_is_there_before(name: str) -> None:
    deployment = _DEPLOYMENTS[name]
    pod = _pod(deployment)
    (container,) = pod["containers"]
    pause = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    drain = max(ws_server.server._DRAIN_TIMEOUT, rest_gateway.server._DRAIN_TIMEOUT)
    assert pod["terminationGracePeriodSeconds"] > pause + drain + 5
    assert deployment["spec"]["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    budget = _objects("PodDisruptionBudget")[name]["spec"]
    assert budget["maxUnavailable"] < deployment["spec"]["replicas"]
    assert budget["selector"] == deployment["spec"]["selector"]


@pytest.mark.parametrize("name", _DEPLOYMENTS)
def test_a_pod_may_do_what_the_image_needs_and_no_more(name: str) -> None:
    pod = _pod(_DEPLOYMENTS[name])
    (container,) = pod["containers"]
    user, group = map(int, only("USER").text.split(":"))
    assert user > 0
    assert pod["securityContext"]["fsGroup"] == group, "it may write to its folder"
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["enableServiceLinks"] is False
    assert container["securityContext"]["readOnlyRootFilesystem"]
    (mount,) = container["volumeMounts"]
    assert mount["mountPath"] == only("VOLUME").text
    assert {volume["name"] for volume in pod["volumes"]} == {mount["name"]}


def test_settings_are_settings_and_secrets_are_references() -> None:
    (settings,) = _objects("ConfigMap").values()
    environ = {
        **settings["data"],
        f"{PREFIX}DATABASE_URL": "postgresql://taskbeam@postgresql/taskbeam",
        f"{PREFIX}SECRET_KEY": SECRET_KEY,
    }
    assert {name.removeprefix(PREFIX) for name in environ} <= {variable.name for variable in VARIABLES}
    assert load_settings(environ).allowed_origins == (f"https://{NAME}",)
    for deployment in _DEPLOYMENTS.values():
        (container,) = _pod(deployment)["containers"]
        assert container["envFrom"] == [
            {"configMapRef": {"name": settings["metadata"]["name"]}},
            {"secretRef": {"name": "taskbeam"}},
        ]
    assert not _objects("Secret")


def test_every_request_reaches_its_process() -> None:
    services = _objects("Service")
    for name, deployment in _DEPLOYMENTS.items():
        assert services[name]["spec"]["selector"] == deployment["spec"]["selector"]["matchLabels"]
        (port,) = services[name]["spec"]["ports"]
        assert port["port"] == _pod(deployment)["containers"][0]["ports"][0]["containerPort"]
    (ingress,) = _objects("Ingress").values()
    (rule,) = ingress["spec"]["rules"]
    assert {path["path"]: path["backend"]["service"]["name"] for path in rule["http"]["paths"]} == {
        "/ws/": "taskbeam-worker",
        "/": "taskbeam-gateway",
    }
    assert rule["host"] == NAME
