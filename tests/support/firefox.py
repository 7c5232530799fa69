"""A headless Firefox, where there is one. It speaks WebDriver BiDi itself: https://www.w3.org/TR/webdriver-bidi/."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest
from websockets.sync.client import ClientConnection, connect

from tests.support.waiting import wait_until

_START_TIMEOUT: Final = 60.0
_ANSWER_TIMEOUT: Final = 30.0
_PREFERENCES: Final = """\
user_pref("app.update.disabledForTesting", true);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("network.captive-portal-service.enabled", false);
user_pref("network.connectivity-service.enabled", false);
user_pref("privacy.reduceTimerPrecision", false);
user_pref("ui.prefersReducedMotion", 1);
user_pref("layout.css.prefers-color-scheme.content-override", %d);
"""
_SCHEMES: Final = ("dark", "light")  # their place is the preference's value
# The script is a function's body, as Selenium's are. What it returns, or its promise, comes as JSON.
_CALL: Final = """(given) => Promise.resolve((function () {%s}).apply(null, JSON.parse(given)))
    .then((value) => JSON.stringify(value ?? null))"""


def require_firefox() -> None:
    """Skip the test where Debian's firefox-esr is not installed; in CI, fail."""
    if shutil.which("firefox-esr"):
        return
    if os.environ.get("CI"):
        pytest.fail("firefox-esr is not installed")
    pytest.skip("firefox-esr is not installed")


class Firefox:
    """A session with a browser."""

    def __init__(self, connection: ClientConnection, scheme: str) -> None:
        self.scheme = scheme
        self._connection = connection
        self._last_id = 0
        self._errors: list[str] = []
        self.command("session.new", capabilities={})
        self.command("session.subscribe", events=["log.entryAdded"])

    def command(self, method: str, **parameters: object) -> Any:
        """What the browser answers; RuntimeError if it refuses."""
        self._last_id += 1
        self._connection.send(json.dumps({"id": self._last_id, "method": method, "params": parameters}))
        while True:
            message = json.loads(self._connection.recv(_ANSWER_TIMEOUT))
            if message["type"] == "event" and message["params"]["level"] == "error":
                self._errors.append(message["params"]["text"])
            elif message.get("id") == self._last_id:
                break
        if message["type"] == "error":
            raise RuntimeError(f"{method}: {message['message']}")
        return message["result"]

    def call(self, context: str, script: str, *arguments: object) -> Any:
        """The value that the script returns in a tab."""
        answer = self.command(
            "script.callFunction",
            functionDeclaration=_CALL % script,
            arguments=[{"type": "string", "value": json.dumps(arguments)}],
            target={"context": context},
            awaitPromise=True,
            userActivation=True,
        )
        if answer["type"] == "exception":
            raise RuntimeError(answer["exceptionDetails"]["text"])
        return json.loads(answer["result"]["value"])

    def take_errors(self) -> list[str]:
        """The errors of all tabs since the last call, but for servers that were not there."""
        self.command("session.status")  # those before its answer have come
        gone = ("can’t establish a connection", "was interrupted while the page was loading")
        errors = [error for error in self._errors if not any(text in error for text in gone)]
        self._errors.clear()
        return errors


@contextmanager
def firefox(scheme: str = "light") -> Iterator[Firefox]:
    """A browser with a profile of its own, which loads nothing by itself. Pages are shown in the scheme, and without motion."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        Path(profile, "user.js").write_text(_PREFERENCES % _SCHEMES.index(scheme))
        log = Path(profile, "taskbeam.log")
        with log.open("wb") as output:
            process = subprocess.Popen(
                [
                    "firefox-esr",
                    "--headless",
                    "--no-remote",
                    "--remote-debugging-port=0",
                    "--profile",
                    profile,
                ],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        try:
            with connect(
                f"{_address(process, log)}/session", max_size=None, ping_interval=None
            ) as connection:
                yield Firefox(connection, scheme)
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    """Where it listens, once it says so."""
    said = "WebDriver BiDi listening on "

    def found() -> list[str]:
        assert process.poll() is None, f"firefox-esr ended:\n{log.read_text()}"
        return [line.split(said)[1] for line in log.read_text().splitlines() if said in line]

    wait_until(found, _START_TIMEOUT, "Firefox listens")
    return found()[0].strip()
