"""Markdown that GitHub and the site show alike."""

from __future__ import annotations

import html


def code(text: str) -> str:
    """Code in a cell of a table, where each of the two takes a vertical bar otherwise."""
    return f"<code>{html.escape(text).replace('|', '&#124;')}</code>" if "|" in text else f"`{text}`"
