"""Handlers are found past aiohttp's router, and by it where the path does not say enough."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from rest_gateway import accounts, changes, events, ops, tasks
from rest_gateway.dispatch import Dispatcher
from tests.rest_gateway.in_process import gateway

UUID = "16f894b8-cb89-4672-9561-0b80cc75ae1b"
ENDPOINTS = [path for topic in (accounts, changes, events, ops, tasks) for path in topic.ENDPOINTS]
PATHS = [path.replace("{task_id:[^/]+}", UUID) for path in ENDPOINTS]


async def _by_the_router(request: web.BaseRequest) -> web.Response:
    return web.Response(status=418)


@pytest.fixture
async def dispatcher(tmp_path: Path) -> AsyncIterator[Dispatcher]:
    async with gateway(tmp_path) as open_gateway:
        yield Dispatcher(open_gateway.app, _by_the_router)


async def test_every_endpoint_is_found(dispatcher: Dispatcher) -> None:
    for path in [f"{path}/" for path in PATHS] + [path for path in PATHS if path]:
        response = await dispatcher(make_mocked_request("OPTIONS", f"{path}?a=/b"))
        assert response.status == 200, path


@pytest.mark.parametrize(
    "path", ["/nowhere", "/task/", "/task", "/task/a/b", "//", f"/task/{UUID}//", "/task/a%2Fb/", "/Task/x"]
)
async def test_the_rest_is_the_routers(dispatcher: Dispatcher, path: str) -> None:
    response = await dispatcher(make_mocked_request("OPTIONS", path))
    assert response.status == 418


async def test_an_expectation_is_the_routers(dispatcher: Dispatcher) -> None:
    response = await dispatcher(make_mocked_request("OPTIONS", "/", {"Expect": "100-continue"}))
    assert response.status == 418
