"""Hypothesis as the whole suite uses it: the same examples each time, and nothing kept on disk."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("repeatable", derandomize=True, database=None, deadline=None)
settings.load_profile("repeatable")
