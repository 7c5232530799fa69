"""Lighthouse's opinion of the page at ``/app/``: ``python -m tests.browser.lighthouse`` prints its scores for the log-in and for a list.

Lighthouse comes from npm, by ``npx``; it is too large for ``tests/npm``. Chromium must be installed.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from tests.browser.app import App
from tests.support.chromium import chromium
from tests.support.clients import new_account
from tests.support.processes import running

_LIGHTHOUSE: Final = "lighthouse@13.5.0"
_CATEGORIES: Final = ("accessibility", "best-practices")
_SECONDS: Final = 300


def _scores(url: str, port: str) -> dict[str, int]:
    """Of each category, of 100. What is worse than it could be goes to standard error.

    Args:
        port: the browser's, for debuggers; the page is seen with what the browser has stored.
    """
    command = ["npx", "--yes", _LIGHTHOUSE, url, f"--port={port}", "--disable-storage-reset", "--output=json"]
    command += ["--quiet", "--no-enable-error-reporting", f"--only-categories={','.join(_CATEGORIES)}"]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=_SECONDS)
    report: dict[str, Any] = json.loads(done.stdout)
    for audit in report["audits"].values():
        if audit["score"] is not None and audit["score"] < 1:
            print(f"{audit['score']} {audit['title']}", file=sys.stderr)
    return {name: round(100 * report["categories"][name]["score"]) for name in _CATEGORIES}


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, running(Path(folder)) as system, chromium() as driver:
        _, _, port = driver.capabilities["goog:chromeOptions"]["debuggerAddress"].rpartition(":")
        url = f"{system.rest_url}/app/"
        print("log-in:", _scores(url, port))
        account = new_account(system)
        app = App(driver, system)
        app.enter(account)
        for number in range(5):
            account.rest("POST", "/", {"task": f"Task {number}"})
        app.sees("#list", "Task 4")
        print("list:", _scores(url, port))


if __name__ == "__main__":
    main()
