"""Page and plots are what the kept results make of them; plots are small files that can be read on light and dark pages."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Final
from xml.etree import ElementTree

import pytest

from benchmarks import page, plots, results
from benchmarks.charts import Bar, Latency, Ratio, bars, latencies, ratios, ticks_to
from benchmarks.drawing import DARK, LIGHT, WIDTH, Palette
from benchmarks.figures import Spread
from benchmarks.results import Results
from tests.support.processes import ROOT

KEPT: Final = results.load()
DRAWN: Final = {each.name: each.picture for each in plots.draw(KEPT)}
_SVG: Final = "{http://www.w3.org/2000/svg}"
_LETTER: Final = 7.0  # of 14 pixels, on average


def shapes(svg: str, kind: str) -> list[ElementTree.Element]:
    """The shapes that have all the classes of ``kind``."""
    wanted = set(kind.split())
    return [each for each in ElementTree.fromstring(svg) if wanted <= set(each.get("class", "").split())]


def texts(svg: str) -> list[ElementTree.Element]:
    return ElementTree.fromstring(svg).findall(f"{_SVG}text")


def test_the_page_is_made_of_the_results_that_are_kept() -> None:
    """After a change: `.venv/bin/python -m benchmarks.page`."""
    assert page.PAGE.read_text() == page.text(KEPT)


def test_the_plots_are_made_of_the_results_that_are_kept() -> None:
    """After a change: `.venv/bin/python -m benchmarks.page`."""
    kept = {file.stem: file.read_text() for file in plots.FOLDER.iterdir()}
    assert kept == {name: picture.svg for name, picture in DRAWN.items()}


def test_every_plot_is_on_the_page_once() -> None:
    shown = re.findall(r"^!\[.+\]\(.+/(\w+)\.svg\)$", page.PAGE.read_text(), re.MULTILINE)
    assert sorted(shown) == sorted(DRAWN)
    assert {
        "peers",
        "ratios",
        "latency_websocket",
        "latency_rest",
        "growth_in_all",
        "memory_by_connections",
    } <= {*shown}


def test_what_was_not_measured_is_not_drawn() -> None:
    assert plots.draw(Results()) == []


@pytest.mark.parametrize("name", DRAWN)
def test_a_plot_can_be_read_by_everybody(name: str) -> None:
    """It has a title and a description, its text is text, nothing of it is cut off, and it loads nothing."""
    svg = DRAWN[name].svg
    root = ElementTree.fromstring(svg)
    assert len(svg) < 8_000
    assert root.get("role") == "img"
    assert root.findtext(f"{_SVG}title")
    assert root.findtext(f"{_SVG}desc")
    assert "prefers-color-scheme:dark" in root.findtext(f"{_SVG}style", "")
    assert "://" not in svg.replace(_SVG[1:-1], "")
    for text in texts(svg):
        words, x = text.text or "", float(text.get("x", ""))
        width = len(words) * _LETTER
        left = {"start": x, "middle": x - width / 2, "end": x - width}[text.get("text-anchor", "start")]
        assert left >= 0, words
        assert left + width <= WIDTH, words
        assert 0 < float(text.get("y", "")) < float(root.get("height", "")), words


@pytest.mark.parametrize(
    ("greatest", "ticks"),
    [
        (57_100, [0, 20_000, 40_000, 60_000]),
        (267, [0, 100, 200, 300]),
        (50_000, [0, 10_000, 20_000, 30_000, 40_000, 50_000]),
        (7.65, [0, 2, 4, 6, 8]),
        (0.4, [0, 0.1, 0.2, 0.3, 0.4]),
    ],
)
def test_ticks_are_round_values_up_to_the_greatest(greatest: float, ticks: list[float]) -> None:
    assert ticks_to(greatest) == pytest.approx(ticks)


def test_a_bar_is_as_long_as_its_value() -> None:
    svg = bars("t", "n", "u", [Bar("GET", "ours", 400, True), Bar("GET", "others", 100, False)]).svg
    lengths = []
    for bar in shapes(svg, "bar"):
        straight, corner = re.findall(r"[hq]([\d.]+)", bar.get("d", ""))[:2]
        lengths.append(float(straight) + float(corner))
    assert lengths[0] == pytest.approx(4 * lengths[1], abs=0.5)
    assert [text.text for text in texts(svg) if text.get("class") == "ink strong"] == ["ours", "400"]


def test_equal_ratios_are_equally_far_apart() -> None:
    rows = [Ratio("x", str(value), Spread(value, value / 2, value * 2)) for value in (1.0, 2.0, 4.0)]
    svg = ratios("t", "n", "u", rows).svg
    middles = [float(dot.get("cx", "")) for dot in shapes(svg, "dot")]
    assert len({round(after - before) for before, after in pairwise(middles)}) == 1
    (equal,) = shapes(svg, "edge")
    assert float(equal.get("x1", "")) == middles[0]


def test_a_latency_goes_from_its_median_to_its_99th_percentile() -> None:
    svg = latencies("t", "n", [Latency("read", 1, 2, True), Latency("raw", 2, 4, False)]).svg
    lines = [(float(line.get("x1", "")), float(line.get("x2", ""))) for line in shapes(svg, "range")]
    assert lines[0][1] == lines[1][0]
    assert lines[1][1] - lines[1][0] == pytest.approx(2 * (lines[0][1] - lines[0][0]), abs=0.3)


def _page_colours(dark: bool) -> Palette:
    """The colours of the page at ``/app/``."""
    light, _, rest = (
        (ROOT / "rest_gateway/web/app.css").read_text().partition("@media (prefers-color-scheme: dark)")
    )
    named = dict(re.findall(r"--(\w+): (#\w+);", rest.partition("\n}\n")[0] if dark else light))
    return Palette(*(named[name] for name in Palette._fields))


def _luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize(("scheme", "accent"), [("default", LIGHT.accent), ("slate", DARK.accent)])
def test_the_site_has_the_same_accent_colour(scheme: str, accent: str) -> None:
    style = (ROOT / "docs/stylesheets/site.css").read_text()
    rule = style.partition(f'[data-md-color-scheme="{scheme}"]')[2].partition("}")[0]
    assert set(re.findall(r": (#\w{6})", rule)) == {accent}


@pytest.mark.parametrize(("palette", "dark"), [(LIGHT, False), (DARK, True)], ids=["light", "dark"])
def test_colours_are_those_of_the_page_and_have_contrast(palette: Palette, dark: bool) -> None:
    """WCAG 2.2: 4.5 for text, 3 for what a plot is read by."""
    assert palette == _page_colours(dark)

    def contrast(colour: str) -> float:
        brighter, darker = sorted((_luminance(colour), _luminance(palette.paper)), reverse=True)
        return (brighter + 0.05) / (darker + 0.05)

    assert min(map(contrast, (palette.ink, palette.quiet, palette.accent))) >= 4.5
    assert contrast(palette.edge) >= 3
