"""The client as a distribution of its own: it needs ``websockets`` alone, and is what the server's wheel has, too."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path
from typing import Any, Final

import pytest

from tests.support.clients import PASSWORD, Account
from tests.support.processes import ROOT, System

_FOLDER: Final = ROOT / "clients" / "python"
_PIP: Final = [sys.executable, "-m", "pip", "--disable-pip-version-check"]


def _project(folder: Path) -> dict[str, Any]:
    project: dict[str, Any] = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    return project


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [*_PIP, "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(_FOLDER)]
    subprocess.run(command, check=True)
    [wheel] = folder.glob("taskbeam_client-*.whl")
    return wheel


@pytest.fixture(scope="module")
def python(wheel: Path) -> Path:
    """Of an environment with nothing but the client and what it declares."""
    environment = wheel.parent / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True)
    into = [*_PIP, "--python", str(environment), "install", "--quiet", "-c", str(ROOT / "constraints.txt")]
    subprocess.run([*into, str(wheel)], check=True)
    return environment / "bin" / "python"


def test_the_wheel_has_the_package_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as files:
        held = {name: files.read(name) for name in files.namelist() if ".dist-info/" not in name}
        licences = [files.read(name) for name in files.namelist() if name.endswith("/licenses/LICENSE")]
    package = [path for path in (_FOLDER / "taskbeam_client").iterdir() if path.is_file()]
    assert held == {f"taskbeam_client/{path.name}": path.read_bytes() for path in package}
    assert "taskbeam_client/py.typed" in held
    assert licences == [(ROOT / "LICENSE").read_bytes()]


def test_the_source_distribution_can_be_built_from(tmp_path: Path) -> None:
    script = f"from hatchling.build import build_sdist; build_sdist({str(tmp_path)!r})"
    environment = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True)
    subprocess.run([*_PIP, "--python", str(environment), "install", "--quiet", "hatchling>=1.27"], check=True)
    subprocess.run([environment / "bin" / "python", "-c", script], cwd=_FOLDER, check=True)
    [archive] = tmp_path.glob("taskbeam_client-*.tar.gz")
    with tarfile.open(archive) as files:
        names = {name.partition("/")[2] for name in files.getnames()}
    assert {"pyproject.toml", "README.md", "LICENSE"} <= names
    command = [*_PIP, "wheel", "--quiet", "--no-deps", "--wheel-dir", str(tmp_path), str(archive)]
    subprocess.run(command, check=True)
    [built] = tmp_path.glob("taskbeam_client-*.whl")
    test_the_wheel_has_the_package_and_nothing_else(built)


def test_it_needs_websockets_alone_and_installs_nothing_else(python: Path) -> None:
    listed = subprocess.run(
        [*_PIP, "--python", str(python), "list", "--format", "freeze"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert {line.partition("==")[0] for line in listed.stdout.splitlines()} == {
        "taskbeam-client",
        "websockets",
    }


def test_the_example_of_its_readme_runs(
    python: Path, system: System, account: Account, tmp_path: Path
) -> None:
    [example] = re.findall(
        r"^```python\n(.*?)^```$", (_FOLDER / "README.md").read_text(), re.MULTILINE | re.DOTALL
    )
    for text, here in (
        ("ws://localhost:8000/ws/tasks/", system.ws_url),
        ("http://localhost:8001/", system.rest_url),
        ('"ann"', f'"{account.username}"'),
        ('"correct-horse"', f'"{PASSWORD}"'),
    ):
        assert text in example
        example = example.replace(text, here)
    (tmp_path / "example.py").write_text(example)
    done = subprocess.run(
        [python, "-I", "example.py"], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stdout, done.stderr) == ("['Buy milk']\n", "")
    assert account.rest("GET", "/").body == []


def test_both_distributions_agree() -> None:
    """Whoever installs both has the same files twice, not two versions of them."""
    client, server = _project(_FOLDER), _project(ROOT)
    for fact in ("version", "requires-python", "license"):
        assert client[fact] == server[fact], fact
    assert set(client["dependencies"]) <= set(server["dependencies"])
    assert (_FOLDER / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()
