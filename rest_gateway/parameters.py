"""The parameters of a URL's query."""

from __future__ import annotations

from aiohttp import web


def parameter(request: web.Request, name: str) -> str | None:
    """The value of a parameter; of one that is given more than once, the last, as in Django's ``QueryDict``."""
    values = request.query.getall(name, None)
    return values[-1] if values else None


def parameters(request: web.Request) -> dict[str, str]:
    """All parameters, with the value of each as ``parameter`` has it."""
    return dict(request.query.items())  # of equal keys, the last one stays
