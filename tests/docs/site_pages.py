"""The pages of the site: those of ``docs/``, the README as the first one, and what else they link to.
``python -m tests.docs.site_pages`` writes them into the folder that ``mkdocs.yml`` names; ``make docs`` builds the site of them.

Links in the pages are those of the checkout. They become those of the site. Only the standard library is used: the
environment of ``make docs`` need not have what the other tests use.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
DOCS: Final = ROOT / "docs"
FOLDER: Final = ROOT / "build" / "docs"

BESIDE: Final = {
    "README.md": "index.md",
    "CHANGELOG.md": "project/changelog.md",
    "CONTRIBUTING.md": "project/contributing.md",
    "SECURITY.md": "project/security.md",
    "examples/README.md": "howto/examples.md",
}
"""Pages beside ``docs/``: where they are in the site."""

_CODE_OR_LINK: Final = re.compile(
    r"^(?P<fence>```+).*?^(?P=fence)$|`[^`\n]+`|(?<=\]\()(?P<path>[^)#\s:]+)(?=[)#])",
    re.MULTILINE | re.DOTALL,
)
"""The path of a link, where there is no code. Addresses of other hosts have a colon."""


def place(file: Path) -> str:
    """Where a file of the project is in the site."""
    name = file.relative_to(ROOT).as_posix()
    return BESIDE.get(name) or name.removeprefix("docs/")


def pages() -> list[Path]:
    return [*(ROOT / name for name in BESIDE), *sorted(DOCS.rglob("*.md"))]


def with_links(text: str, change: Callable[[str], str]) -> str:
    """The text of a page with each path of a link changed; code stays as it is."""
    return _CODE_OR_LINK.sub(lambda found: change(found["path"]) if found["path"] else found[0], text)


def write(folder: Path) -> None:
    """Write all pages, what else is in ``docs/``, and the other files that the pages link to."""
    files = {file for file in DOCS.rglob("*") if file.is_file() and file.suffix != ".md"}
    for page in pages():
        here = Path(place(page)).parent

        def change(path: str, page: Path = page, here: Path = here) -> str:
            file = (page.parent / path).resolve()
            if file.is_file() and file.suffix != ".md":
                files.add(file)
            return Path(os.path.relpath(place(file), here)).as_posix()

        target = folder / place(page)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(with_links(page.read_text(), change))
    for file in files:
        target = folder / place(file)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)


if __name__ == "__main__":
    shutil.rmtree(FOLDER, ignore_errors=True)
    write(FOLDER)
