"""Every block of code in a page is checked by a test, and so is every setting and command that a page names."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click
import pytest

from rest_gateway.app import ENDPOINTS
from rest_gateway.documents import make_endpoints
from rest_gateway.openapi.operation import TASK_EXAMPLE
from shared.access_log import AccessLog
from shared.settings import PREFIX, VARIABLES, load_settings
from taskbeam.cli import main
from tests.docs.site_pages import pages
from tests.support.processes import ROOT

_FENCED: Final = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
_HERE: Final = "tests/docs/test_blocks.py"

CHECKED: Final = {
    ("CONTRIBUTING.md", "diff"): "tests/project/test_how_to_add.py",
    ("CONTRIBUTING.md", "sql"): "tests/project/test_how_to_add.py",
    ("README.md", "bash"): "tests/docs/test_documents.py",
    ("README.md", "javascript"): "tests/docs/test_documents.py",
    ("README.md", "json"): "tests/docs/test_documents.py",
    ("docs/explanation/architecture.md", ""): _HERE,
    ("docs/howto/behind_a_proxy.md", ""): "tests/deploy/test_service.py",
    ("docs/howto/from_django.md", "bash"): "tests/docs/test_from_django.py",
    ("docs/howto/from_django.md", "console"): _HERE,
    ("docs/howto/monitor.md", ""): _HERE,
    ("docs/howto/monitor.md", "ini"): "tests/e2e/test_access_log.py",
    ("docs/howto/monitor.md", "yaml"): _HERE,
    ("docs/howto/move_to_postgresql.md", "bash"): "tests/docs/test_move_to_postgresql.py",
    ("docs/howto/move_to_postgresql.md", "console"): _HERE,
    ("docs/howto/operate.md", ""): "tests/docs/test_documents.py",
    ("docs/howto/operate.md", "bash"): "tests/docs/test_documents.py",
    ("docs/howto/operate.md", "console"): "tests/deploy/test_service.py",
    ("docs/howto/several_machines.md", "bash"): "tests/docs/test_several_machines.py",
    ("docs/howto/several_machines.md", "console"): "tests/docs/test_several_machines.py",
    ("docs/howto/several_machines.md", "yaml"): "tests/docs/test_several_machines.py",
    ("docs/howto/use_the_client.md", "python"): "tests/docs/test_documents.py",
    ("docs/howto/use_the_command.md", "bash"): "tests/docs/test_documents.py",
    ("docs/howto/use_the_javascript_client.md", "js"): "tests/clients_js/test_package.py",
    ("docs/howto/write_your_own_client.md", ""): "tests/docs/test_write_your_own_client.py",
    ("docs/howto/write_your_own_client.md", "python"): "tests/docs/test_write_your_own_client.py",
    ("docs/reference/command_line.md", "text"): "tests/docs/test_reference.py",
    ("docs/reference/javascript_client.md", "ts"): "tests/docs/test_reference.py",
    ("docs/reference/python_client.md", "python"): "tests/docs/test_reference.py",
    ("docs/reference/rest.md", "sh"): _HERE,
    ("docs/reference/rest_examples.md", "http"): "tests/docs/test_examples.py",
    ("docs/reference/rest_examples.md", "sh"): "tests/docs/test_examples.py",
    ("docs/reference/tasks.md", "json"): _HERE,
    ("docs/reference/websocket_examples.md", "text"): "tests/docs/test_examples.py",
    ("docs/tutorial/live_list.md", "console"): _HERE,
    ("docs/tutorial/live_list.md", "html"): "tests/docs/test_live_list.py",
    ("docs/tutorial/live_list.md", "js"): "tests/docs/test_live_list.py",
}
"""By page and language, the test that checks such blocks. A new kind of block on a page needs one."""

_NO_SETTINGS: Final = {
    *("SO_REUSEPORT", "TASK_KEYS", "USE_TZ", "SIMPLE_JWT", "SIGNING_KEY", "POSTGRESQL_PROGRAMS"),
    *("TASKBEAM_TEST_LOOP", "TASKBEAM_TEST_ENGINE", "TASKBEAM_TEST_FULL", "TASKBEAM_URL", "XDG_CONFIG_HOME"),
}
"""Names in the form of settings: of the system, of Django, of tests, and of the command line."""


def _name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def _blocks(name: str, language: str) -> list[str]:
    return [text for found, text in _FENCED.findall((ROOT / name).read_text()) if found == language]


def test_every_kind_of_block_has_a_test() -> None:
    kinds = {(_name(page), language) for page in pages() for language, _ in _FENCED.findall(page.read_text())}
    assert kinds == CHECKED.keys()
    assert [test for test in CHECKED.values() if not (ROOT / test).exists()] == []


@pytest.mark.parametrize("page", pages(), ids=_name)
def test_every_setting_that_is_named_exists(page: Path) -> None:
    names = {variable.name for variable in VARIABLES}
    for code in re.findall(r"`([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)(?:=\w*)?`", page.read_text()):
        assert code in _NO_SETTINGS or code.removeprefix(PREFIX) in names, code


def _commands(page: Path) -> Iterator[list[str]]:
    """The words behind ``taskbeam``, in code within a line and in blocks for a shell."""
    text = page.read_text()
    for language, block in _FENCED.findall(text):
        if language in ("bash", "console", "sh"):
            for line in block.splitlines():
                found = re.match(r"[$#]? ?(?:\S*/)?taskbeam ([a-z].*)", line)
                if found:
                    yield shlex.split(found[1], comments=True)
    for code in re.findall(r"`(?:\S*/)?taskbeam ([a-z][^`]*)`", _FENCED.sub("", text)):
        yield code.split()


@pytest.mark.parametrize("page", pages(), ids=_name)
def test_every_command_that_is_named_exists(page: Path) -> None:
    for words in _commands(page):
        command: click.Command | None = main
        options: set[str] = set()
        for word in words:
            if isinstance(command, click.Group) and not word.startswith("-"):
                command = command.get_command(click.Context(command), word)
                assert command is not None, (word, words)
                options = {name for param in command.params for name in (*param.opts, *param.secondary_opts)}
            elif word.startswith("--"):
                assert word.partition("=")[0] in options | {"--help", "--version"}, words


def test_the_task_object_is_the_example_of_the_documents() -> None:
    (block,) = _blocks("docs/reference/tasks.md", "json")
    assert list(json.loads(block).items()) == list(TASK_EXAMPLE.items())


def test_the_documents_are_where_the_reference_fetches_them() -> None:
    (block,) = _blocks("docs/reference/rest.md", "sh")
    fetch, generate = map(shlex.split, block.splitlines())
    paths = {*ENDPOINTS, *make_endpoints(ENDPOINTS, load_settings({}))}
    assert fetch[2].removeprefix("http://127.0.0.1:8001") in paths
    assert fetch[-1] == generate[2], "what is fetched is what is read"


def test_the_lines_of_the_access_log_are_as_it_writes_them() -> None:
    written: list[str] = []
    logs = {
        name: AccessLog(name, 1, as_json=False, write=written.append)
        for name in ("rest_gateway", "ws_server")
    }
    logs["rest_gateway"].log("GET", f"/task/{TASK_EXAMPLE['uuid']}/", 200, 1, 0.001204, "5f1c")
    logs["ws_server"].log("WebSocket", "/ws/tasks/", 1001, 1, 60.2117, "5f1d")
    (shown,) = (block for block in _blocks("docs/howto/monitor.md", "") if " INFO " in block)
    assert [line.split(" ", 1)[1] for line in shown.splitlines()] == [
        line.split(" ", 1)[1] for line in written
    ]
    assert all(re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z ", line) for line in shown.splitlines())


def test_logrotate_accepts_its_block(tmp_path: Path) -> None:
    (block,) = (block for block in _blocks("docs/howto/monitor.md", "") if "rotate " in block)
    assert "copytruncate" in block, "the log is not opened anew"
    assert Counter(block)["{"] == Counter(block)["}"] == 1
    logrotate = shutil.which("logrotate", path="/usr/sbin:/usr/bin")
    if logrotate is None:
        pytest.skip("no logrotate here: the Debian package of that name has it")
    (tmp_path / "taskbeam").write_text(block)
    checked = subprocess.run(
        [logrotate, "--debug", tmp_path / "taskbeam"], capture_output=True, text=True, check=False, timeout=30
    )
    assert checked.returncode == 0, checked.stderr
    assert "error" not in checked.stderr


def test_promtool_accepts_the_configuration(tmp_path: Path) -> None:
    (block,) = _blocks("docs/howto/monitor.md", "yaml")
    port = next(variable.default for variable in VARIABLES if variable.name == "REST_PORT")
    assert f'targets: ["127.0.0.1:{port}"]' in block
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("no promtool here: the Debian package prometheus has it")
    (tmp_path / "prometheus.yml").write_text(block)
    shutil.copy(ROOT / "deploy/prometheus/taskbeam.rules.yml", tmp_path)
    checked = subprocess.run(
        [promtool, "check", "config", tmp_path / "prometheus.yml"],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_commands_of_the_tutorial_are_there() -> None:
    makefile = (ROOT / "Makefile").read_text()
    lines = [
        line for block in _blocks("docs/tutorial/live_list.md", "console") for line in block.splitlines()
    ]
    seen = set()
    for line in lines:
        assert line.startswith("$ "), line
        program, *words = shlex.split(line[2:])
        seen.add(program)
        match program:
            case "make":
                assert all(re.search(rf"^{word}:", makefile, re.MULTILINE) for word in words), line
            case "cp":
                assert (ROOT / words[0]).exists(), line
            case "curl":
                assert words[0].removeprefix("http://localhost:8001").rstrip("/") in ENDPOINTS, line
            case (
                "mkdir" | "python3" | ".venv/bin/taskbeam"
            ):  # the last one is checked with all other commands
                pass
            case _:
                raise AssertionError(line)
    assert seen >= {"make", "cp", "curl"}


def test_the_picture_of_the_architecture_names_what_there_is() -> None:
    (picture,) = _blocks("docs/explanation/architecture.md", "")
    for name in re.findall(r"\b(ws_server|rest_gateway|shared|taskbeam)\b", picture):
        assert (ROOT / name).is_dir(), name
