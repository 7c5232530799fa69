"""Where the client's scripts run: Node, or a page in Chromium. Both find the same helpers, ``helpers.mjs``."""

from __future__ import annotations

import asyncio
import json
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final, Protocol

from selenium.webdriver import Chrome

from tests.browser.tabs import Tab
from tests.npm.node import FOLDER as NPM
from tests.npm.node import require_node
from tests.support.chromium import chromium, require_chromium
from tests.support.processes import ROOT

FOLDER: Final = Path(__file__).parent
CLIENT: Final = ROOT / "clients/js/taskbeam.js"


class Runtime(Protocol):
    """Runs the body of an async function; ``arguments`` are what it is given."""

    def run_blocking(self, script: str, *arguments: object) -> Any:
        """Its value. Raises AssertionError where it throws."""

    async def run(self, script: str, *arguments: object) -> Any:
        """The same, without blocking the event loop."""


class Node:
    """A process that runs one script after the other."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def run_blocking(self, script: str, *arguments: object) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"script": script, "args": arguments}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, f"node has ended: {self._process.wait()}"
        answer = json.loads(line)
        assert "error" not in answer, answer["error"]
        return answer["value"]

    async def run(self, script: str, *arguments: object) -> Any:
        return await asyncio.to_thread(self.run_blocking, script, *arguments)


@contextmanager
def node() -> Iterator[Node]:
    """Node with the client; its standard error is the test's. Skips the test where there is none."""
    command = [require_node(), str(FOLDER / "node.mjs"), str(CLIENT), str(NPM / "package.json")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield Node(process)
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(10) == 0


_FILES: Final = {
    "/taskbeam.js": (CLIENT, "text/javascript"),
    "/helpers.mjs": (FOLDER / "helpers.mjs", "text/javascript"),
}
_PAGE: Final = b"""<!doctype html><title>tasks</title><script type="module">
import * as taskbeam from '/taskbeam.js';
import {run} from '/helpers.mjs';
Object.assign(window, {taskbeam, run});
</script>"""


_awake: Final = threading.Event()  # unset: a page is blocked


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/block":
            _awake.wait(30)
        path, kind = _FILES.get(self.path, (None, "text/html"))
        body = _PAGE if path is None else path.read_bytes()
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""


class Page:
    """A tab that has loaded the client. All tabs of a browser are of one origin."""

    def __init__(self, browser: Chrome, url: str) -> None:
        self._tab = Tab(browser, url)
        self._wait_loaded()

    def _wait_loaded(self) -> None:
        self._tab.wait_for("return window.run !== undefined")

    def reload(self) -> None:
        """Nothing that scripts have kept is left."""
        self._tab.reload()
        self._wait_loaded()

    def close(self) -> None:
        self._tab.close()

    def show(self) -> None:
        self._tab.show()

    def freeze(self) -> None:
        """Until ``wake``. The page is told before, and must not be asked for anything meanwhile."""
        self._tab.freeze()

    def block(self, other: Page, script: str) -> None:
        """The same without a word, as phones suspend a browser's process: nothing runs, all that comes is there afterwards. The script
        is run before, and calls ``block()``, now or later."""
        _awake.clear()
        self.run_blocking(
            """
            const block = () => {
                const request = new XMLHttpRequest();
                request.open('GET', '/block', false);
                request.send();
            };
            const run = new Function('block', arguments[0]);
            new BroadcastChannel('block').onmessage = () => run(block);
            """,
            script,
        )
        other.run_blocking(
            "new BroadcastChannel('block').postMessage('now')"
        )  # a driver waits for a page that is blocked

    def wake(self) -> None:
        _awake.set()
        self._tab.wake()

    def run_blocking(self, script: str, *arguments: object) -> Any:
        answer = self._tab.run("return run(arguments[0], arguments[1])", script, arguments)
        assert "error" not in answer, answer["error"]
        return answer["value"]

    async def run(self, script: str, *arguments: object) -> Any:
        return await asyncio.to_thread(self.run_blocking, script, *arguments)


@contextmanager
def chromium_pages() -> Iterator[Callable[[], Page]]:
    """Opens pages. Skips the test where there is no Chromium."""
    require_chromium()
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server, chromium() as browser:
        browser.set_script_timeout(30)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield lambda: Page(browser, f"http://localhost:{server.server_port}/")
        finally:
            server.shutdown()
            thread.join()
