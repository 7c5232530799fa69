"""The documents, done as they say, one after the other and by one reader: the README from `make run` on, then the how-tos."""

from __future__ import annotations

import json
import os
import re
import subprocess
import urllib.request
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import pytest
from selenium.webdriver.remote.webdriver import WebDriver

from tests.docs.checkout import Checkout, made_run
from tests.docs.tables import README
from tests.support.chromium import chromium, require_chromium
from tests.support.processes import ROOT
from tests.support.waiting import wait_until

_BLOCK: Final = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_HOWTOS: Final = ROOT / "docs" / "howto"


class Block(NamedTuple):
    language: str
    text: str


def _blocks(page: str) -> list[Block]:
    return [Block(*found.groups()) for found in _BLOCK.finditer(page)]


BLOCKS: Final = _blocks(README.read_text())


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    """The README's first command."""
    assert BLOCKS[0] == Block("bash", "make run\n")
    with made_run(tmp_path_factory.mktemp("checkout")) as checkout:
        yield checkout


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


def test_the_example_of_the_client(checkout: Checkout) -> None:
    """As README's user, with the tasks that the tour has made."""
    example, provider = (
        block.text
        for block in _blocks((_HOWTOS / "use_the_client.md").read_text())
        if block.language == "python"
    )
    (checkout.folder / "example.py").write_text(checkout.ported(example))
    lines = checkout.bash(".venv/bin/python example.py").splitlines()
    snapshot, created, updated, *tasks, deleted = sorted(lines, key=_place_in_example)
    first = re.fullmatch(r"(\d+) tasks at (\d+)", snapshot)
    assert first, lines
    count, seq = map(int, first.groups())
    assert count >= 1
    assert created == f"{seq + 1} create Buy milk"
    assert updated == f"{seq + 2} update Buy milk"
    assert tasks == ["open Buy milk", *tasks[1:-1], "done Buy milk"]
    assert len(tasks) == count + 1
    assert re.fullmatch(rf"{seq + 3} delete [0-9a-f-]{{36}}", deleted)
    compile(provider, "provider", "exec")


def _place_in_example(line: str) -> int:
    """What is followed and what is printed may come in either order."""
    kinds = (r"\d+ tasks at", r"\d+ create", r"\d+ update", r"(open|done) ", r"\d+ delete")
    return next(place for place, kind in enumerate(kinds) if re.match(kind, line))


def test_the_operators_commands(checkout: Checkout) -> None:
    """Those that speak to a running supervisord."""
    page = (_HOWTOS / "operate.md").read_text()
    commands = re.findall(r"^\$ (\.venv/bin/taskbeam supervisorctl .*)$", page, re.MULTILINE)
    assert commands[:2] == [
        ".venv/bin/taskbeam supervisorctl status",
        ".venv/bin/taskbeam supervisorctl restart taskbeam:rest_gateway",
    ]
    status = checkout.bash(commands[0])
    for server in ("rest_gateway", "ws_server_00"):
        assert re.search(rf"^taskbeam:{server} +RUNNING", status, re.MULTILINE), status
    assert checkout.bash(commands[1]) == "taskbeam:rest_gateway: stopped\ntaskbeam:rest_gateway: started\n"
    wait_until(lambda: _answers(checkout.rest_port), 20, "the gateway answers again")


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5) as response:
            return bool(response.status == 200)
    except OSError:
        return False


def test_every_block_is_run_above() -> None:
    assert [block.language for block in BLOCKS] == [
        *["bash"] * 4,
        *["javascript"] * 2,
        *["bash"] * 2,
        "json",
    ]


def test_every_link_leads_somewhere() -> None:
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", page.read_text()):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_servers_of_the_tour_answer(checkout: Checkout) -> None:
    assert _answers(checkout.ws_port)
    assert _answers(checkout.rest_port)
