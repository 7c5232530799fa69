"""The requests that are recorded and replayed, by subject."""

from ..shapes import Case
from . import access, accounts, bodies, fields, forms, paths, sessions

CASES: list[Case] = [
    *fields.CASES,
    *bodies.CASES,
    *forms.CASES,
    *access.CASES,
    *paths.CASES,
    *accounts.CASES,
    *sessions.CASES,
]
