"""The parameters of a URL's query."""

from __future__ import annotations

from aiohttp import web

from shared.errors import InvalidRequest


def parameter(request: web.Request, name: str) -> str | None:
    """The value of a parameter; of one that is given more than once, the last, as in Django's ``QueryDict``."""
    values = request.query.getall(name, None)
    return values[-1] if values else None


def parameters(request: web.Request) -> dict[str, str]:
    """All parameters, with the value of each as ``parameter`` has it."""
    return dict(request.query.items())  # of equal keys, the last one stays


def whole_number(request: web.Request, name: str, highest: int) -> int:
    """A required parameter from 0 to ``highest``. Raises InvalidRequest."""
    value = parameter(request, name) or ""
    if not (value.isascii() and value.isdigit() and len(value) < 19 and int(value) <= highest):
        raise InvalidRequest(f"Must be an integer from 0 to {highest}.", key=name)
    return int(value)
