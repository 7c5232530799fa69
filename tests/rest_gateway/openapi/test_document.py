"""The document is of the gateway that serves it: its routes, their methods, its settings; and its examples are examples."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from rest_gateway.app import ENDPOINTS
from rest_gateway.documents import make_endpoints
from shared.settings import load_settings
from tests.support.api_documents import OpenApi, Undocumented, openapi_document
from tests.support.clients import Rest
from tests.support.processes import System

DOCUMENT = openapi_document()
CHECKER = OpenApi(DOCUMENT)
ROUTES = {**ENDPOINTS, **make_endpoints(ENDPOINTS, load_settings({}))}


def _operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, operations in DOCUMENT["paths"].items():
        for method, operation in operations.items():
            yield method.upper(), path, operation


def _in_document(route: str) -> str:
    return re.sub(r":[^}]*", "", route)


def test_every_route_and_method_is_described_and_the_other_way_round() -> None:
    described = {(method, path.rstrip("/")) for method, path, _ in _operations()}
    routes = {
        (method, _in_document(route))
        for route, endpoint in ROUTES.items()
        for method in endpoint.methods
        if not route.startswith(("/app/", "/docs/"))  # the files of the pages, which they load
    }
    assert described == routes


def test_only_public_operations_do_without_a_token() -> None:
    public = {_in_document(route) for route, endpoint in ROUTES.items() if endpoint.is_public}
    for _, path, operation in _operations():
        assert operation["security"] == ([] if path.rstrip("/") in public else [{"bearer": []}]), path
        assert ("401" in operation["responses"]) or path.rstrip("/") in public, path


def test_the_parameters_of_a_path_are_described() -> None:
    for _, path, operation in _operations():
        named = [each["name"] for each in operation.get("parameters", []) if each["in"] == "path"]
        assert named == re.findall(r"{(\w+)}", path)


def test_no_name_is_of_two_operations() -> None:
    names = [operation["operationId"] for _, _, operation in _operations()]
    assert len(set(names)) == len(names)


def test_the_gateway_serves_it(system: System) -> None:
    served = Rest(system)("GET", "/openapi.json").body
    assert served == openapi_document()


def test_new_passwords_have_the_limits_of_the_settings() -> None:
    schemas = openapi_document(PASSWORD_MIN_LENGTH="10")["components"]["schemas"]
    for name in ("Registration", "PasswordChange"):
        password = schemas[name]["properties"]["password"]
        assert (password["minLength"], password["maxLength"]) == (10, 128)
    assert schemas["PasswordChange"]["properties"]["current_password"]["minLength"] == 1


def _examples() -> Iterator[tuple[str, dict[str, Any], Any]]:
    for method, path, operation in _operations():
        answers = [CHECKER._resolved(answer) for answer in operation["responses"].values()]
        parts = [*answers, operation.get("requestBody", {})]
        for content in (content for part in parts for content in part.get("content", {}).values()):
            if "example" in content:
                yield f"{method} {path}", content["schema"], content["example"]
            for example in content.get("examples", {}).values():
                yield f"{method} {path}", content["schema"], example["value"]
        for parameter in operation.get("parameters", []):
            if "example" in parameter:
                yield f"{method} {path}", parameter["schema"], parameter["example"]


def test_every_example_is_one() -> None:
    examples = list(_examples())
    assert len(examples) > 100
    for where, schema, example in examples:
        CHECKER._schemas.check(where, schema, example)


@pytest.mark.parametrize(
    ("method", "target", "status", "headers", "body"),
    [
        ("GET", "/me/", 418, {}, b"{}"),
        ("GET", "/nowhere", 200, {"Content-Type": "application/json"}, b"{}"),
        ("GET", "/healthz", 200, {"Content-Type": "application/json"}, b'{"status":"ok"}'),
        ("GET", "/healthz", 200, {"X-Request-ID": "1", "Content-Type": "text/plain"}, b"ok"),
        ("GET", "/healthz", 200, {"X-Request-ID": "1", "Content-Type": "application/json"}, b'{"status":1}'),
        (
            "GET",
            "/healthz",
            200,
            {"X-Request-ID": "1", "Content-Type": "application/json"},
            b'{"status":"ok","more":1}',
        ),
        ("DELETE", "/me/", 204, {"X-Request-ID": "1"}, b"{}"),
    ],
    ids=["status", "path", "header", "media type", "type", "key", "body"],
)
def test_the_check_of_answers_finds_what_is_not_described(
    method: str, target: str, status: int, headers: dict[str, str], body: bytes
) -> None:
    with pytest.raises(Undocumented):
        OpenApi(DOCUMENT).check(method, target, status, headers, body)
