"""The package as npm packs and installs it: its examples, its types, its size."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import unicodedata
from pathlib import Path
from typing import Any, Final

import pytest

from tests.clients_js.runtimes import CLIENT, FOLDER, Node
from tests.npm.node import FOLDER as NPM
from tests.npm.node import require_node
from tests.support.clients import PASSWORD, Account
from tests.support.processes import ROOT, System

_PACKAGE: Final = CLIENT.parent
_NODE_MODULES: Final = NPM / "node_modules"
_EXAMPLES: Final = (
    (_PACKAGE / "README.md", 0),
    (ROOT / "docs/howto/use_the_javascript_client.md", 0),
    (ROOT / "docs/howto/use_the_javascript_client.md", 1),
    (ROOT / "docs/howto/use_the_javascript_client.md", 3),
)
# A Node without a WebSocket of its own, and one that has no localStorage.
_PRELUDE: Final = """
globalThis.WebSocket ??= (await import('ws')).WebSocket;
const kept = new Map();
globalThis.localStorage = {
    getItem: (key) => kept.get(key) ?? null,
    setItem: (key, value) => kept.set(key, value),
    removeItem: (key) => kept.delete(key),
};
"""


def _run(*command: str | Path, folder: Path) -> str:
    run = subprocess.run(command, cwd=folder, capture_output=True, check=False, text=True, timeout=60)
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the package, as `npm install` unpacks it."""
    require_node()
    folder = tmp_path_factory.mktemp("installed")
    packed = json.loads(_run("npm", "pack", "--json", "--pack-destination", folder, _PACKAGE, folder=folder))
    modules = folder / "node_modules"
    modules.mkdir()
    _run("tar", "-xzf", packed[0]["filename"], folder=folder)
    shutil.move(folder / "package", modules / "taskbeam")
    (modules / "ws").symlink_to(_NODE_MODULES / "ws")
    return folder


def test_it_has_its_files_and_nothing_else(installed: Path) -> None:
    package = installed / "node_modules/taskbeam"
    assert {path.name for path in package.iterdir()} == {
        "LICENSE", "README.md", "package.json", "taskbeam.d.ts", "taskbeam.js",
    }  # fmt: skip
    about: dict[str, Any] = json.loads((package / "package.json").read_text())
    assert (about["name"], about["type"], about["license"]) == ("taskbeam", "module", "MIT")
    assert not about.keys() & {"dependencies", "peerDependencies", "scripts"}
    assert (package / "LICENSE").read_text() == (ROOT / "LICENSE").read_text()


@pytest.mark.parametrize(("page", "number"), _EXAMPLES, ids=lambda value: getattr(value, "stem", str(value)))
def test_examples_run_and_end(
    installed: Path, system: System, account: Account, page: Path, number: int
) -> None:
    """Nothing keeps the process, once the client is closed."""
    example = re.findall(r"^```js\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)[number]
    for text, here in (
        ("ws://localhost:8000/ws/tasks/", system.ws_url),
        ("http://localhost:8001/", system.rest_url),
        ("'ann'", f"'{account.username}'"),
        ("'correct-horse'", f"'{PASSWORD}'"),
    ):
        example = example.replace(text, here)
    (installed / "prelude.mjs").write_text(_PRELUDE)
    (installed / "example.mjs").write_text(example)
    output = _run(require_node(), "--import", "./prelude.mjs", "example.mjs", folder=installed)
    assert ("Buy milk" in output) == (".create(" in example)
    assert account.rest("GET", "/").body == []


async def test_an_application_in_typescript_compiles_and_finds_all_there_is(
    installed: Path, js: Node
) -> None:
    shutil.copy(FOLDER / "usage.ts", installed)
    (installed / "package.json").write_text('{"type": "module"}')
    output = _run(require_node(), FOLDER / "declared.cjs", installed / "usage.ts", folder=installed)
    compiled = json.loads(output)
    assert compiled["said"] == []
    declared = compiled["members"]
    declared["TaskbeamClient"].remove("addEventListener")  # declared again, with the types of our events
    declared["TaskbeamClient"].remove("removeEventListener")
    assert declared == await js.run("""
        const samples = {
            ClientDefect: ['', {}], RateLimited: ['', 1], Conflict: [null], Invalid: [{}], Refused: [{}],
            Session: ['http://x', 'refresh'], TaskbeamClient: ['ws://127.0.0.1:1', {token: () => new Promise(() => {})}],
        };
        const hidden = ['constructor', 'prototype', 'length', 'name', 'cause', 'message', 'stack', 'replica', 'queue'];
        const members = ([name, found]) => {
            const sample = new found(...(samples[name] ?? ['']));
            sample.close?.();
            const names = [...Object.keys(sample), ...Object.getOwnPropertyNames(found)];
            for (let from = found; from && from !== Error && from !== EventTarget; from = Object.getPrototypeOf(from)) {
                names.push(...Object.getOwnPropertyNames(from.prototype ?? {}));
            }
            return [name, [...new Set(names)].filter((each) => !hidden.includes(each)).sort()];
        };
        return Object.fromEntries(Object.entries(taskbeam).map(members));
    """)


def test_it_is_small() -> None:
    """It is read as an example, and loaded without a build step."""
    assert len(CLIENT.read_bytes()) < 73_000


async def test_blanks_are_the_servers(js: Node) -> None:
    """A text that is trimmed otherwise than the server does would be taken for another's."""
    codes = [
        code for code in range(0x10000) if unicodedata.category(chr(code)) in {"Zs", "Zl", "Zp", "Cc", "Cf"}
    ]
    trimmed = await js.run(
        """
        const [codes] = arguments;
        const client = new taskbeam.TaskbeamClient('ws://127.0.0.1:1', {token: () => new Promise(() => {})});
        for (const blank of codes.map((code) => String.fromCharCode(code))) client.create({task: `${blank}${blank}x${blank}`});
        const shown = [...client.preview.values()];
        await client.close();
        return shown.flatMap(({task}, index) => task === 'x' ? codes[index] : []);
        """,
        codes,
    )
    assert trimmed == [code for code in codes if not chr(code).strip()]
