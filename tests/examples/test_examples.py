"""Each example does what `examples/README.md` says."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest
from selenium.webdriver.common.by import By

from tests.browser.page import EXAMPLE
from tests.npm.node import FOLDER as NPM
from tests.npm.node import require_node
from tests.support.chromium import chromium, require_chromium
from tests.support.clients import PASSWORD, Account
from tests.support.processes import ROOT, System
from tests.support.served_folder import served
from tests.support.waiting import wait_until

_EXAMPLES: Final = ROOT / "examples"
_SECONDS: Final = 30.0


@pytest.fixture
def environ(system: System, account: Account) -> dict[str, str]:
    own = {
        "REST": f"{system.rest_url}/",
        "SOCKET": system.ws_url,
        "NAME": account.username,
        "PASSWORD": PASSWORD,
    }
    return {**os.environ, **own}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The examples and the client as in the checkout, and beside them the packages of npm."""
    require_node()
    shutil.copytree(_EXAMPLES, tmp_path / "examples")
    (tmp_path / "clients/js").mkdir(parents=True)
    shutil.copy(ROOT / "clients/js/taskbeam.js", tmp_path / "clients/js")
    (tmp_path / "node_modules").symlink_to(NPM / "node_modules")
    (tmp_path / "package.json").write_text('{"type": "module"}')
    return tmp_path


@contextmanager
def _running(environ: dict[str, str], *command: str | Path) -> Iterator[subprocess.Popen[str]]:
    """Until Ctrl-C, which must end it in order."""
    with subprocess.Popen(command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
            process.send_signal(signal.SIGINT)
            assert process.wait(_SECONDS) == 0
        finally:
            process.kill()


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_the_bot_makes_a_task_again_and_no_other(environ: dict[str, str], account: Account) -> None:
    with _running(environ, sys.executable, _EXAMPLES / "recurring_bot.py") as bot:
        assert _line(bot) == "0 tasks"
        for task, description in (("Buy milk", ""), ("Water the plants", "every time it is dry")):
            made = account.rest("POST", "/", {"task": task, "description": description})
            account.rest("PATCH", f"/task/{made.body['uuid']}/", {"completed": True})
        assert _line(bot) == "again: Water the plants"
    tasks = [(task["task"], task["completed"]) for task in account.rest("GET", "/").body]
    assert tasks == [("Buy milk", True), ("Water the plants", True), ("Water the plants", False)]


def test_lines_become_tasks(environ: dict[str, str], account: Account) -> None:
    lines = ["Buy milk & bread", "a=b \\t 'quoted' \"twice\"", "Wäsche, without an end of line"]
    command = ["sh", str(_EXAMPLES / "add_lines.sh")]
    subprocess.run(command, env=environ, input="\n".join(lines).encode(), capture_output=True, check=True)
    assert [task["task"] for task in account.rest("GET", "/").body] == lines
    wrong = subprocess.run(
        command, env={**environ, "PASSWORD": "no"}, input=b"x", capture_output=True, check=False
    )
    assert wrong.returncode != 0
    assert b"401" in wrong.stderr


def test_the_file_is_the_list(folder: Path, environ: dict[str, str], account: Account) -> None:
    file = folder / "TASKS.md"
    file.write_text("old\n")

    def has(text: str) -> None:
        wait_until(lambda: file.read_text() == text, _SECONDS, text)

    with _running(environ, require_node(), folder / "examples/mirror.mjs", file):
        has("")
        milk = account.rest("POST", "/", {"task": "Buy milk"}).body["uuid"]
        has("- [ ] Buy milk\n")
        account.rest("PATCH", f"/task/{milk}/", {"completed": True})
        has("- [x] Buy milk\n")


def test_the_hook_draws_what_changes(folder: Path, system: System, account: Account) -> None:
    account.rest("POST", "/", {"task": "Buy milk"})
    shutil.copy(Path(__file__).with_name("react.mjs"), folder / "examples")
    run = subprocess.run(
        [
            require_node(),
            "examples/react.mjs",
            f"{system.rest_url}/",
            system.ws_url,
            account.username,
            PASSWORD,
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    first, live, written, drawings_unmounted = map(json.loads, run.stdout.splitlines())
    assert first[1] == []
    assert live == ["live", ["Buy milk"]]
    assert written == ["live", ["Buy milk", "Made by the page"]]
    assert drawings_unmounted == 0
    assert len(account.rest("GET", "/").body) == 3


def test_the_page_has_the_documents_code_and_it_works(
    tmp_path: Path, system: System, account: Account
) -> None:
    require_chromium()
    page = (_EXAMPLES / "page.html").read_text()
    assert EXAMPLE in page
    port = system.ws.port
    ours = page.replace("localhost:8000", f"localhost:{port}").replace("your_jwt_token_here", account.access)
    (tmp_path / "page.html").write_text(ours)
    with served(tmp_path) as origin, chromium() as driver:
        driver.get(f"{origin}/page.html")
        shown = driver.find_element(By.TAG_NAME, "pre")
        wait_until(lambda: "Authentication successful" in shown.text, _SECONDS, "the answer to auth")
        driver.find_element(By.TAG_NAME, "button").click()
        wait_until(lambda: '"mode":"all"' in shown.text, _SECONDS, "the answer to all")
        account.rest("POST", "/", {"task": "Made elsewhere"})
        wait_until(lambda: "Made elsewhere" in shown.text, _SECONDS, "the change")


def test_the_page_of_examples_names_them_all() -> None:
    files = {path.name for path in _EXAMPLES.iterdir() if path.is_file()} - {"README.md"}
    assert set(re.findall(r"^\| \[(\S+)\]", (_EXAMPLES / "README.md").read_text(), re.MULTILINE)) == files
