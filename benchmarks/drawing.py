"""Draws on a sheet, and writes it as a small SVG file: text stays text, and the same calls make the same file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple
from xml.sax.saxutils import escape

WIDTH: Final = 560  # narrow, so that the text can be read on a phone
MARGIN: Final = 16


class Palette(NamedTuple):
    """Colours of the page at ``/app/``, by their names there."""

    paper: str
    ink: str
    quiet: str
    line: str
    edge: str
    accent: str


LIGHT: Final = Palette("#fff", "#1b2225", "#566166", "#e1e5e4", "#7f8b8f", "#1f6f5c")
DARK: Final = Palette("#1a1f22", "#e5e9e9", "#9ca7ab", "#2a3135", "#768287", "#6cc5ad")


def _rules(colours: Palette) -> str:
    return (
        f".paper{{fill:{colours.paper}}}"
        f"text{{fill:{colours.quiet}}}"
        f".ink{{fill:{colours.ink}}}"
        f".grid{{stroke:{colours.line}}}"
        f".edge{{stroke:{colours.edge}}}"
        f".other{{fill:{colours.edge};stroke:{colours.edge}}}"
        f".ours{{fill:{colours.accent};stroke:{colours.accent}}}"
        f".hollow{{fill:{colours.paper}}}"
    )


# Viewers that know no dark scheme show the light one. The sheet has a ground of its own, so either can be read on any page.
_STYLE: Final = (
    f"{_rules(LIGHT)}@media(prefers-color-scheme:dark){{{_rules(DARK)}}}"
    "text{font:14px system-ui,sans-serif;font-variant-numeric:tabular-nums}"
    ".title{font-weight:600;font-size:16px}.strong{font-weight:600}"
    ".edge,.range,.curve,.dot{stroke-width:2}.curve{fill:none}.bar,.area{stroke:none}.area{opacity:.14}"
)


class Picture(NamedTuple):
    """A finished picture: what a screen reader says of it, and the text of its file."""

    words: str
    svg: str


class Sheet:
    """A picture with a title and a quiet line below it. Positions are pixels from its upper left corner.

    ``kind``: names of the style's classes: ``ours`` for the accent colour, ``other`` for what it is compared with.
    """

    def __init__(self, title: str, note: str) -> None:
        self._title = title
        self._shapes: list[str] = []
        self.text(MARGIN, 30, title, "ink title")
        self.text(MARGIN, 52, note)

    def text(self, x: float, y: float, words: str, kind: str = "", anchor: str = "start") -> None:
        """``y``: of the line that the letters stand on."""
        look = f' class="{kind}"' if kind else ""
        place = "" if anchor == "start" else f' text-anchor="{anchor}"'
        self._shapes.append(f'<text x="{_px(x)}" y="{_px(y)}"{look}{place}>{escape(words)}</text>')

    def line(self, x1: float, y1: float, x2: float, y2: float, kind: str) -> None:
        self._shapes.append(
            f'<line class="{kind}" x1="{_px(x1)}" y1="{_px(y1)}" x2="{_px(x2)}" y2="{_px(y2)}"/>'
        )

    def bar(self, x: float, y: float, width: float, height: float, kind: str) -> None:
        """Rounded at the end that shows the value."""
        corner = min(3.0, width)
        self._shapes.append(
            f'<path class="{kind} bar" d="M{_px(x)} {_px(y)}h{_px(width - corner)}'
            f"q{_px(corner)} 0 {_px(corner)} {_px(corner)}v{_px(height - 2 * corner)}"
            f'q0 {_px(corner)} -{_px(corner)} {_px(corner)}H{_px(x)}z"/>'
        )

    def dot(self, x: float, y: float, kind: str) -> None:
        self._shapes.append(f'<circle class="{kind} dot" cx="{_px(x)}" cy="{_px(y)}" r="4"/>')

    def curve(self, points: Sequence[tuple[float, float]], base: float) -> None:
        """A line through the points, and what is between it and ``base``."""
        path = "L".join(f"{_px(x)} {_px(y)}" for x, y in points)
        (first, _), (last, _) = points[0], points[-1]
        self._shapes.append(
            f'<path class="ours area" d="M{path}L{_px(last)} {_px(base)}H{_px(first)}z"/>'
            f'<path class="ours curve" d="M{path}"/>'
        )

    def picture(self, height: float, words: str) -> Picture:
        """``words``: what the picture shows, for who does not see it."""
        size = f'width="{WIDTH}" height="{_px(height)}"'
        viewed = f'viewBox="0 0 {WIDTH} {_px(height)}" role="img" aria-labelledby="title words"'
        svg = "\n".join(
            [
                f'<svg xmlns="http://www.w3.org/2000/svg" {size} {viewed}>',
                f'<title id="title">{escape(self._title)}</title>',
                f'<desc id="words">{escape(words)}</desc>',
                f"<style>{_STYLE}</style>",
                f'<rect class="paper" {size} rx="8"/>',
                *self._shapes,
                "</svg>\n",
            ]
        )
        return Picture(f"{self._title}. {words}", svg)


def _px(value: float) -> str:
    """At most one digit after the point."""
    return f"{round(value, 1):g}"
