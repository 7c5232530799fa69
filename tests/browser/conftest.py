"""A headless Chromium, and the page that it shows."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service

from tests.browser.page import served_page
from tests.support.processes import System

_ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def _programs() -> tuple[str, str]:
    found = {name: shutil.which(name) for name in ("chromium", "chromedriver")}
    chromium, chromedriver = found["chromium"], found["chromedriver"]
    if chromium is None or chromedriver is None:
        missing = ", ".join(name for name, path in found.items() if path is None)
        if os.environ.get("CI"):
            pytest.fail(f"not installed: {missing}")
        pytest.skip(f"not installed: {missing}")
    return chromium, chromedriver


@pytest.fixture(scope="package")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    chromium, chromedriver = _programs()
    profile: Path = tmp_path_factory.mktemp("chromium")
    options = ChromeOptions()
    options.binary_location = chromium
    for argument in (*_ARGUMENTS, f"--user-data-dir={profile}"):
        options.add_argument(argument)
    browser = Chrome(options, Service(chromedriver))
    browser.set_script_timeout(10)
    try:
        yield browser
    finally:
        browser.quit()


@pytest.fixture(scope="package")
def origin(system: System) -> Iterator[str]:
    """Where the page comes from: localhost, at another port than either process."""
    with served_page(system.ws.port) as origin:
        yield origin
