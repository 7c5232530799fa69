"""A headless Chromium, and the page that it shows."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from selenium.webdriver import Chrome

from tests.browser.page import served_page
from tests.support.chromium import chromium, require_chromium
from tests.support.processes import System


@pytest.fixture(scope="package")
def browser() -> Iterator[Chrome]:
    require_chromium()
    with chromium() as driver:
        driver.set_script_timeout(10)
        yield driver


@pytest.fixture(scope="package")
def origin(system: System) -> Iterator[str]:
    """Where the page comes from: localhost, at another port than either process."""
    with served_page(system.ws.port) as origin:
        yield origin
