"""Tabs of a browser: each runs the usage document's example for one user."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from selenium.webdriver import ActionChains, Chrome
from selenium.webdriver.support.ui import WebDriverWait

_TIMEOUT = 10.0


class Tab:
    """One tab. Commands go to the tab itself, whichever one the browser shows."""

    def __init__(self, browser: Chrome, url: str) -> None:
        self._browser = browser
        browser.switch_to.new_window("tab")
        self._handle = browser.current_window_handle
        browser.get(url)

    def run(self, script: str, *arguments: object) -> Any:
        """The value that the script returns, or that of the promise that it returns."""
        self._browser.switch_to.window(self._handle)
        return self._browser.execute_script(script, *arguments)

    def send(self, message: str) -> None:
        self.run("socket.send(arguments[0])", message)

    def received(self, count: int) -> list[dict[str, Any]]:
        """What the example has logged, once there are that many frames; keys are in alphabetical order here."""
        self.wait_for(f"return window.received.length >= {count}")
        frames: list[dict[str, Any]] = self.run("return window.received")
        return frames

    def keys_of(self, index: int) -> list[str]:
        """The keys of a frame, in the order in which they came."""
        keys: list[str] = self.run("return Object.keys(window.received[arguments[0]])", index)
        return keys

    def closed(self) -> int:
        """The code that the socket was closed with."""
        code: int = self.wait_for("return window.closeCode")
        return code

    def wait_for(self, script: str, *arguments: object) -> Any:
        """The script's value, once it is a true one."""
        wait = WebDriverWait(self._browser, _TIMEOUT, poll_frequency=0.02)
        return wait.until(lambda _: self.run(script, *arguments))

    def type_keys(self, *keys: str) -> None:
        """Press keys one after the other, where the focus is."""
        self._browser.switch_to.window(self._handle)
        ActionChains(self._browser).send_keys(*keys).perform()

    def press(self, modifier: str, key: str) -> None:
        self._browser.switch_to.window(self._handle)
        ActionChains(self._browser).key_down(modifier).send_keys(key).key_up(modifier).perform()

    def resize(self, width: int, height: int) -> None:
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self._browser.switch_to.window(self._handle)
        self._browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def picture(self, path: Path) -> None:
        self._browser.switch_to.window(self._handle)
        assert self._browser.save_screenshot(str(path))

    def reload(self) -> None:
        self._browser.switch_to.window(self._handle)
        self._browser.refresh()

    def show(self) -> None:
        """Bring it to the front: the others are hidden."""
        self._command("Page.bringToFront")

    def freeze(self) -> None:
        """Suspend it, as phones do with tabs in the background. It runs nothing, and must not be asked for anything."""
        self._command("Page.setWebLifecycleState", state="frozen")

    def wake(self) -> None:
        self._command("Page.setWebLifecycleState", state="active")

    def _command(self, name: str, **parameters: object) -> None:
        self._browser.switch_to.window(self._handle)
        self._browser.execute_cdp_cmd(name, parameters)

    def close(self) -> None:
        self._browser.switch_to.window(self._handle)
        self._browser.close()
        self._browser.switch_to.window(self._browser.window_handles[0])
