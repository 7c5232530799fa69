"""Tabs of Firefox, which are led like those of Chromium."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any, Final

from selenium.common import TimeoutException

from tests.support.firefox import Firefox
from tests.support.waiting import wait_until

_TIMEOUT: Final = 10.0


class FirefoxTab:
    """One tab."""

    def __init__(self, browser: Firefox, url: str) -> None:
        self._firefox = browser
        self._context = browser.command("browsingContext.create", type="tab")["context"]
        self._command("browsingContext.navigate", url=url, wait="complete")

    def run(self, script: str, *arguments: object) -> Any:
        """The value that the script returns, or that of the promise that it returns."""
        return self._firefox.call(self._context, script, *arguments)

    def wait_for(self, script: str, *arguments: object) -> Any:
        """The script's value, once it is a true one."""
        seen: list[Any] = []

        def look() -> Any:
            seen[:] = [self.run(script, *arguments)]
            return seen[0]

        try:
            wait_until(look, _TIMEOUT, script)
        except AssertionError as error:
            raise TimeoutException(str(error)) from error
        return seen[0]

    def type_keys(self, *keys: str) -> None:
        """Press keys one after the other, where the focus is."""
        self._press([(kind, key) for key in "".join(keys) for kind in ("keyDown", "keyUp")])

    def press(self, modifier: str, key: str) -> None:
        self._press([("keyDown", modifier), ("keyDown", key), ("keyUp", key), ("keyUp", modifier)])

    def reload(self) -> None:
        self._command("browsingContext.reload", wait="complete")

    def resize(self, width: int, height: int) -> None:
        self._command("browsingContext.setViewport", viewport={"width": width, "height": height})

    def picture(self, path: Path) -> None:
        data = self._command("browsingContext.captureScreenshot")["data"]
        path.write_bytes(base64.b64decode(data))

    def close(self) -> None:
        self._command("browsingContext.close")

    def _press(self, actions: list[tuple[str, str]]) -> None:
        steps = [{"type": kind, "value": key} for kind, key in actions]
        self._command("browsingContext.activate")
        self._command("input.performActions", actions=[{"type": "key", "id": "keyboard", "actions": steps}])

    def _command(self, method: str, **parameters: object) -> Any:
        return self._firefox.command(method, context=self._context, **parameters)
