"""Node and Chromium with the client, one of each for a module of tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.clients_js.runtimes import Node, Page, Runtime, chromium_pages, node


@pytest.fixture(scope="module")
def js() -> Iterator[Node]:
    with node() as running:
        yield running


@pytest.fixture(scope="module")
def open_page() -> Iterator[Callable[[], Page]]:
    with chromium_pages() as open_page:
        yield open_page


@pytest.fixture(scope="module")
def page(open_page: Callable[[], Page]) -> Page:
    return open_page()


@pytest.fixture(params=["node", "chromium"])
def runtime(request: pytest.FixtureRequest) -> Runtime:
    """The test runs in each."""
    runtime: Runtime = request.getfixturevalue("js" if request.param == "node" else "page")
    return runtime
