"""The wheel, in a folder that is not to be written to: it serves by itself."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.deploy.checkout import SECONDS, STOP_SECONDS, Checkout
from tests.support.processes import ROOT
from tests.support.waiting import wait_until


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of ours is its files: there is nothing to compile. What it needs is in this environment."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, ROOT],
        check=True,
    )
    [wheel] = folder.glob("taskbeam-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    for path in (folder / "site").rglob("*"):
        path.chmod(0o555 if path.is_dir() else 0o444)
    return folder / "site"


def test_wheel_serves_from_an_empty_folder(installed: Path, checkout: Checkout) -> None:
    empty = checkout.folder / "empty"
    empty.mkdir()
    environ = {
        **checkout.environment,
        "PYTHONPATH": str(installed),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONSAFEPATH": "1",
    }
    # What is executed here is no part of the checkout's coverage.
    for name in ("COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG"):
        environ.pop(name, None)
    where = subprocess.run(
        [sys.executable, "-c", "import taskbeam, shared; print(taskbeam.__file__, shared.__file__)"],
        cwd=empty,
        env=environ,
        capture_output=True,
        text=True,
        check=True,
    )
    assert where.stdout.split() == [f"{installed}/{name}/__init__.py" for name in ("taskbeam", "shared")]
    with checkout.log.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "taskbeam", "serve", "--data", "../data"],
            cwd=empty,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        wait_until(lambda: "ready at http" in checkout.log.read_text(), SECONDS, "readiness")
        assert checkout.log_in()
    finally:
        process.terminate()
        assert process.wait(STOP_SECONDS) == 0, checkout.log.read_text()
    assert list(empty.iterdir()) == []
    assert {path.name for path in (checkout.folder / "data").iterdir()} >= {"supervisord.conf", "taskbeam.db"}
