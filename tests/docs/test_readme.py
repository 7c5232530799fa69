"""The README, done as it says: in a copy of the checkout, from `make run` to the last line of the tour."""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import signal
import subprocess
import termios
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest
from selenium.webdriver.remote.webdriver import WebDriver

from shared.settings import VARIABLES
from tests.docs.settings_table import README, with_table
from tests.support.chromium import chromium, require_chromium
from tests.support.ports import free_port
from tests.support.processes import ROOT
from tests.support.waiting import wait_until

_BLOCK: Final = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_INSTALL_SECONDS: Final = 240.0


class Block(NamedTuple):
    language: str
    text: str


BLOCKS: Final = [Block(*found.groups()) for found in _BLOCK.finditer(README.read_text())]


class Checkout(NamedTuple):
    """A copy that `make run` runs in; ``ported`` puts its ports in the place of the default ones."""

    folder: Path
    ws_port: int
    rest_port: int

    def ported(self, text: str) -> str:
        return text.replace("localhost:8000", f"localhost:{self.ws_port}").replace(
            "localhost:8001", f"localhost:{self.rest_port}"
        )

    def bash(self, script: str) -> str:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", self.ported(script)],
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


def _copy_checkout(folder: Path) -> None:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in listed.stdout.splitlines():
        if (ROOT / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    """The README's first command, in a fresh copy with a fresh environment."""
    assert BLOCKS[0] == Block("bash", "make run\n")
    folder = tmp_path_factory.mktemp("checkout")
    _copy_checkout(folder)
    copy = Checkout(folder, free_port(), free_port())
    # As from a newcomer's shell: without the environment and the make that these tests run in.
    ours = ("TASKBEAM_", "VIRTUAL_ENV", "MAKE", "MFLAGS", "WORKERS")
    environ = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    environ |= {"TASKBEAM_WS_PORT": str(copy.ws_port), "TASKBEAM_REST_PORT": str(copy.rest_port)}
    log = folder / "make-run.log"
    keyboard, terminal = os.openpty()
    with log.open("wb") as output:
        make = subprocess.Popen(
            ["make", "run"],
            cwd=folder,
            env=environ,
            stdin=terminal,
            stdout=output,
            stderr=output,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509 - what Ctrl-C is typed at
        )
    try:

        def announced() -> bool:
            assert make.poll() is None, log.read_text()
            return f"ready at http://127.0.0.1:{copy.rest_port}/" in log.read_text()

        wait_until(announced, _INSTALL_SECONDS, "make run says that it is ready")
        assert f"ready at ws://127.0.0.1:{copy.ws_port}/ws/tasks/" in log.read_text()
        yield copy
        os.write(keyboard, b"\x03")  # Ctrl-C
        assert make.wait(40) == 0, log.read_text()
    finally:
        if make.poll() is None:
            os.killpg(make.pid, signal.SIGTERM)
            make.wait(40)
        os.close(terminal)
        os.close(keyboard)


@pytest.mark.timeout(400)
def test_the_tour_with_curl(checkout: Checkout) -> None:
    output = checkout.bash(_tour(0))
    registered, task, tasks = (
        json.loads(text) for text in re.findall(r"[\[{].*?[\]}](?=[\[{]|\s*\Z)", output)
    )
    assert registered == {"id": 1, "username": "ann"}
    assert task["task"] == "Buy milk"
    assert tasks == [task]


def _tour(number: int) -> str:
    """One of the bash blocks that follow `make run` and `make test`."""
    bash = [block.text for block in BLOCKS if block.language == "bash"]
    assert bash[:2] == ["make run\n", "make test\n"]
    return bash[2:][number]


def _token(checkout: Checkout) -> str:
    """As the tour has it in its shell: log in again, and the block that prints it."""
    login = _tour(0).partition("\n")[2].partition("curl -s http://localhost:8001/ -H")[0]
    return checkout.bash(f"{login}\n{_tour(1)}").strip()


def _paste(driver: WebDriver, script: str) -> None:
    """What is pasted into a console is global, as in a script element."""
    add = "const it = document.createElement('script'); it.textContent = arguments[0]; document.body.append(it);"
    driver.execute_script(add, script)


def _heard(driver: WebDriver) -> list[dict[str, Any]]:
    """What the example has written to the console so far."""
    words: list[list[Any]] = driver.execute_script("return window.heard")
    return [line[1] for line in words]


def test_the_tour_in_a_browser(checkout: Checkout) -> None:
    require_chromium()
    token = _token(checkout)
    connect, ask = (
        checkout.ported(block.text).replace("your_jwt_token_here", token)
        for block in BLOCKS
        if block.language == "javascript"
    )
    with chromium() as driver:
        driver.get(f"http://localhost:{checkout.rest_port}/healthz")
        _paste(driver, "window.heard = []; console.log = (...words) => window.heard.push(words);")
        _paste(driver, connect)
        wait_until(lambda: len(_heard(driver)) == 1, 10, "the answer to auth")
        _paste(driver, ask)
        wait_until(lambda: len(_heard(driver)) == 3, 10, "the answers to all and create")
        checkout.bash(f"TOKEN={token}\n{_tour(2)}")
        wait_until(lambda: len(_heard(driver)) == 4, 10, "the change made with curl")
        frames = _heard(driver)
    assert frames[0]["message"] == "Authentication successful"
    assert frames[1]["mode"] == "all"
    assert frames[2]["task"]["task"] == "Walk the dog"
    assert frames[3]["task"]["task"] == "Made with curl"


def test_the_tour_with_the_command_line_client(checkout: Checkout) -> None:
    token = _token(checkout)
    (lines,) = (block.text.splitlines() for block in BLOCKS if block.language == "json")
    wanted = ['"Authentication successful"', '"Typed by hand"', '"mode":"all"']
    with subprocess.Popen(
        checkout.ported(_tour(3)).split(),
        cwd=checkout.folder,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as client:
        assert client.stdin is not None
        assert client.stdout is not None
        for line, answer in zip(lines, wanted, strict=True):
            client.stdin.write(line.replace("<TOKEN>", token) + "\n")
            client.stdin.flush()
            while answer not in (heard := client.stdout.readline()):
                assert heard, f"the client ended before {answer}"
        client.stdin.close()
        assert client.wait(10) == 0


def test_every_block_is_run_above() -> None:
    assert [block.language for block in BLOCKS] == [
        *["bash"] * 4,
        *["javascript"] * 2,
        *["bash"] * 2,
        "json",
    ]


def test_the_settings_table_is_the_code() -> None:
    assert README.read_text() == with_table(README.read_text())
    assert len(VARIABLES) == 29


def test_every_link_leads_somewhere() -> None:
    for page in [README, *(ROOT / "docs").rglob("*.md"), ROOT / "CONTRIBUTING.md"]:
        for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", page.read_text()):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_servers_of_the_tour_answer(checkout: Checkout) -> None:
    for port in (checkout.ws_port, checkout.rest_port):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5) as response:
            assert response.status == 200
