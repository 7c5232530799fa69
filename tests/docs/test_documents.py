"""The documents, done as they say, one after the other and by one reader: the README from `make run` on, then the how-tos."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import pytest
from selenium.webdriver.remote.webdriver import WebDriver

from shared.settings import PREFIX, VARIABLES, load_settings
from tests.docs.checkout import Checkout, new_checkout
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
def copy(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    return new_checkout(tmp_path_factory.mktemp("checkout"))


@pytest.fixture(scope="module")
def first_run(copy: Checkout) -> Iterator[subprocess.Popen[bytes]]:
    """The README's first command."""
    assert BLOCKS[0] == Block("bash", "make run\n")
    with copy.make_run() as process:
        yield process


@pytest.fixture(scope="module")
def checkout(copy: Checkout, first_run: subprocess.Popen[bytes]) -> Checkout:
    """Served."""
    return copy


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


def _bash(name: str) -> list[str]:
    """What the reader of a how-to pastes into a shell."""
    blocks = [block.text for block in _blocks((_HOWTOS / name).read_text()) if block.language == "bash"]
    assert blocks, name
    return blocks


def test_the_commands_for_users(checkout: Checkout) -> None:
    """use_the_command.md, as README's user; who has other tasks already."""
    said = checkout.bash(
        "echo =====\n".join(_bash("use_the_command.md")),
        TASKBEAM_URL=f"http://127.0.0.1:{checkout.rest_port}",
    )
    _, logged_in, listed, changed, texts, opened, added, files, completion = said.split("=====\n")
    assert re.fullmatch(r"Logged in at http://127\.0\.0\.1:\d+ as ann\.\n", logged_in)
    assert [line.split("\t")[-1] for line in listed.splitlines()[-2:]] == ["Buy milk", "Walk the dog"]
    assert re.fullmatch(
        r"Done \S+  Buy milk\nChanged \S+  Walk both dogs\n\S+\topen\t\S+\tWalk both dogs\nDeleted \S+\n",
        changed,
    )
    assert "Walk both dogs" not in texts
    assert re.fullmatch(r"\d+ open\n", opened)
    first, second = map(json.loads, added.splitlines())
    assert first == second
    count = len(texts.splitlines()) + 1
    assert files == f"Imported 0; {count} were there already.\n"
    assert completion == ""
    for name in ("tasks.jsonl", "tasks.csv", "todo.txt"):
        assert "Water the plants" in (checkout.folder / name).read_text()


@pytest.mark.timeout(300)
def test_the_commands_for_operators(checkout: Checkout, first_run: subprocess.Popen[bytes]) -> None:
    """operate.md. `make run` ends in the middle of it, and is typed again."""
    path, *blocks = _bash("operate.md")
    stop, again = blocks.index("taskbeam supervisorctl shutdown\n"), blocks.index("make run\n")
    before = checkout.bash("\n".join([path, *blocks[:stop]]))
    for line in (
        r"taskbeam:rest_gateway +RUNNING",
        r"taskbeam:rest_gateway: started",
        r"taskbeam:ws_server_00: started",
        r"monday\.db: \d+ bytes, checked; the key is monday\.db\.key",
    ):
        assert re.search(rf"^{line}", before, re.MULTILINE), before
    assert "PROBLEM" not in before

    login = _tour(0).partition("\n")[2].partition("curl -s http://localhost:8001/ -H")[0]
    tasks = f'{login}\ncurl -s http://localhost:8001/ -H "Authorization: Bearer $TOKEN"'
    kept = json.loads(checkout.bash(tasks))
    assert kept
    checkout.bash(f"{path}\ntaskbeam rm {kept[0]['uuid']}")
    assert json.loads(checkout.bash(tasks)) == kept[1:]
    checkout.bash(f"{path}\n{blocks[stop]}")
    assert first_run.wait(40) == 0
    assert "is restored" in checkout.bash("\n".join([path, *blocks[stop + 1 : again]]))
    assert blocks[again + 1 :] == []
    with checkout.make_run():
        assert json.loads(checkout.bash(tasks)) == kept
        register = "curl -s http://localhost:8001/register/ -d username=eve -d password=correct-horse"
        assert json.loads(checkout.bash(register)) == {"detail": "Registration is closed."}


def test_every_block_is_run_above() -> None:
    assert [block.language for block in BLOCKS] == [
        *["bash"] * 4,
        *["javascript"] * 2,
        *["bash"] * 2,
        "json",
    ]


def test_no_other_page_has_a_block_to_be_pasted_into_a_shell() -> None:
    """What needs root or another machine has the language console, and a prompt. Pages about other databases have tests of their own."""
    pages = {
        page.name
        for page in (ROOT / "docs").rglob("*.md")
        for block in _blocks(page.read_text())
        if block.language == "bash"
    }
    assert pages == {
        "operate.md",
        "use_the_command.md",
        "from_django.md",
        "move_to_postgresql.md",
        "several_machines.md",
    }


def test_settings_that_the_pages_show_are_good() -> None:
    shown = [
        line
        for page in (ROOT / "docs").rglob("*.md")
        for block in re.findall(r"^```(\w*)\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)
        for line in block[1].splitlines()
        if not block[0] and line.startswith("TASKBEAM_")
    ]
    assert len(shown) > 4
    for line in shown:
        name, _, value = line.partition("=")
        assert name.removeprefix(PREFIX) in {variable.name for variable in VARIABLES}
        load_settings({name: value})


def _slug(heading: str) -> str:
    """The anchor of a heading."""
    return re.sub(r"[^\w -]", "", heading.strip().lower()).replace(" ", "-")


def test_every_link_leads_somewhere() -> None:
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        for target, anchor in re.findall(r"\]\(([^)#]*)(?:#([^)]*))?\)", page.read_text()):
            if "://" in target:
                continue
            there = page.parent / target if target else page
            assert there.exists(), f"{page.name}: {target}"
            if anchor and there.suffix == ".md":
                headings = re.findall(r"^#+ (.*)$", there.read_text(), re.MULTILINE)
                assert anchor in map(_slug, headings), f"{page.name}: {target}#{anchor}"
