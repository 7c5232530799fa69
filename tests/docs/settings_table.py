"""The settings as a Markdown table. ``python -m tests.docs.settings_table`` writes it into the README."""

from __future__ import annotations

from typing import Final

from shared.settings import PREFIX, VARIABLES
from tests.support.processes import ROOT

README: Final = ROOT / "README.md"
_BEGIN: Final = "<!-- settings: made by `python -m tests.docs.settings_table` and held against the code by the tests -->\n"
_END: Final = "<!-- end of settings -->\n"


NOT_OFFERED: Final = {"EVENTS_URL": "redis://localhost"}
"""Variables that are checked, and refuse every value so far: one is named here."""


def table() -> str:
    rows = [f"| `{PREFIX}…` | default | meaning |", "|---|---|---|"]
    for variable in VARIABLES:
        if variable.name in NOT_OFFERED:
            continue
        default = f"`{variable.default}`" if variable.default else "(empty)"
        rows.append(f"| `{variable.name}` | {default} | {variable.help} |")
    return "\n".join(rows) + "\n"


def with_table(readme: str) -> str:
    """The README with the table as it should be between its marks."""
    before, _, rest = readme.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    return f"{before}{_BEGIN}{table()}{_END}{after}"


if __name__ == "__main__":
    README.write_text(with_table(README.read_text()))
