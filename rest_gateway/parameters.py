"""The parameters of a URL's query."""

from __future__ import annotations

from aiohttp import web
from yarl import URL


def parameter(request: web.Request, name: str) -> str | None:
    """The value of a parameter; of one that is given more than once, the last, as in Django's ``QueryDict``."""
    values = request.query.getall(name, None)
    return values[-1] if values else None


def parse_parameters(query_string: str) -> dict[str, str]:
    """All parameters of a query as it is in the URL, with the value of each as ``parameter`` has it."""
    query = URL.build(query_string=query_string, encoded=True).query
    return dict(query.items())  # of equal keys, the last one stays
