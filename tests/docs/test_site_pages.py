"""The site has every page once, and its links lead to its own files; `make docs` builds it."""

from __future__ import annotations

import re
from pathlib import Path

from tests.docs.decisions import FOLDER as DECISIONS
from tests.docs.site_pages import ROOT, pages, place, with_links, write


def test_the_navigation_names_every_page_once() -> None:
    """The decisions are in their own index, which another test holds against them."""
    named = re.findall(r"^ +- .+: (\S+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE)
    decisions = {page for page in pages() if page.parent == DECISIONS and page.name != "README.md"}
    assert sorted(named) == sorted(place(page) for page in pages() if page not in decisions)


def test_every_link_leads_to_a_file_of_the_site(tmp_path: Path) -> None:
    write(tmp_path)
    count = 0
    for page in tmp_path.rglob("*.md"):

        def check(path: str, page: Path = page) -> str:
            nonlocal count
            count += 1
            there = (page.parent / path).resolve()
            assert there.is_relative_to(tmp_path), f"{page}: {path}"
            assert there.is_file(), f"{page}: {path}"
            return path

        with_links(page.read_text(), check)
    assert count > 100


def test_what_the_site_needs_to_be_searched_in_a_folder_is_its_own(tmp_path: Path) -> None:
    """Without a shim of ours, Zensical's `offline` takes one from unpkg.com."""
    settings = (ROOT / "mkdocs.yml").read_text()
    assert re.search(r"^plugins:\n  - search\n  - offline\b", settings, re.MULTILINE)
    write(tmp_path)
    [shim] = re.findall(r"^  polyfills:\n    - (\S+)", settings, re.MULTILINE)
    assert "iframe-worker" in shim, "the name by which Zensical knows it"
    assert "window.IFrameWorker" in (tmp_path / shim).read_text()


def test_only_paths_of_links_change() -> None:
    text = "[a](b.md) [c](d.md#e) [f](#g) [h](https://i/j.md) `[k](l.md)`\n```md\n[m](n.md)\n```\n"
    assert with_links(text, str.upper) == text.replace("b.md", "B.MD").replace("d.md", "D.MD")


def test_lists_have_a_line_before_them() -> None:
    """Without one Markdown, other than GitHub's, takes the list for a part of the paragraph."""
    for page in pages():
        text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
        for before in re.findall(r"^(?! |[-*] |\d+\. )(.+)\n(?:[-*]|\d+\.) ", text, re.MULTILINE):
            raise AssertionError(f"{page.name}: no empty line between {before!r} and the list")
