"""The forms of the plots: bars, ratios, latencies, small curves in rows, and one large curve. Each also says
in words what it shows."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple

from benchmarks.drawing import MARGIN, WIDTH, Picture, Sheet
from benchmarks.figures import Spread
from benchmarks.report import number

_TOP: Final = 72  # where the rows begin
_ROW: Final = 24
_GROUP_GAP: Final = 12
_MIDDLE: Final = 5  # from the middle of a row to the line that its letters stand on
_VALUE: Final = 56  # the width of a value
_LETTER: Final = 7.8  # the mean width of a letter, where the system's typeface is a wide one
_TICKS: Final = 5


class Axis:
    """A horizontal axis, with ticks at round values."""

    def __init__(
        self, left: float, right: float, ticks: Sequence[float], ends: tuple[float, float], log: bool
    ):
        self.left, self.right, self.ticks = left, right, ticks
        self._scale: Callable[[float], float] = math.log if log else float
        self._low, self._high = (self._scale(end) for end in ends)

    @classmethod
    def linear(cls, left: float, right: float, greatest: float) -> Axis:
        ticks = ticks_to(greatest)
        return cls(left, right, ticks, (0.0, ticks[-1]), False)

    @classmethod
    def doubling(cls, left: float, right: float, least: float, greatest: float) -> Axis:
        """Logarithmic, with ticks at powers of two."""
        powers = range(math.ceil(math.log2(least)), math.floor(math.log2(greatest)) + 1)
        return cls(left, right, [2.0**power for power in powers], (least, greatest), True)

    def at(self, value: float) -> float:
        part = (self._scale(value) - self._low) / (self._high - self._low)
        return self.left + part * (self.right - self.left)

    def draw(self, sheet: Sheet, top: float, bottom: float, unit: str) -> float:
        """The grid, and below it the ticks and the unit. Returns the height of the picture."""
        for tick in self.ticks:
            sheet.line(self.at(tick), top, self.at(tick), bottom, "grid")
            sheet.text(self.at(tick), bottom + 18, number(tick), anchor="middle")
        sheet.text(self.right, bottom + 38, unit, anchor="end")
        return bottom + 38 + MARGIN


def ticks_to(greatest: float) -> list[float]:
    """Zero, and a few multiples of 1, 2 or 5 times a power of ten; the last is not below ``greatest``."""
    power = 10.0 ** math.floor(math.log10(greatest / _TICKS))
    step = next(power * times for times in (1, 2, 5, 10) if power * times * _TICKS >= greatest)
    return [step * count for count in range(math.ceil(greatest / step) + 1)]


class Bar(NamedTuple):
    group: str
    name: str
    value: float
    ours: bool


def bars(title: str, note: str, unit: str, rows: Sequence[Bar]) -> Picture:
    """A bar for each row; rows of one group stand together."""
    sheet = Sheet(title, note)
    names = MARGIN + _width(row.group for row in rows) + 16
    axis = Axis.linear(
        names + _width(row.name for row in rows) + 12, WIDTH - MARGIN - _VALUE, max(row.value for row in rows)
    )
    middles, bottom = _places(sheet, [row.group for row in rows])
    height = axis.draw(sheet, _TOP, bottom, unit)
    for row, middle in zip(rows, middles, strict=True):
        kind = "ours" if row.ours else "other"
        sheet.text(names, middle + _MIDDLE, row.name, "ink strong" if row.ours else "")
        sheet.bar(axis.left, middle - 8, axis.at(row.value) - axis.left, 16, kind)
        sheet.text(
            axis.at(row.value) + 6, middle + _MIDDLE, number(row.value), "ink strong" if row.ours else "ink"
        )
    return sheet.picture(height, _words((row.group, f"{row.name} {number(row.value)}") for row in rows))


class Ratio(NamedTuple):
    group: str
    name: str
    ratio: Spread


def ratios(title: str, note: str, unit: str, rows: Sequence[Ratio]) -> Picture:
    """Each median as a dot and as text, on a line from the least to the greatest round; the axis is logarithmic."""
    sheet = Sheet(title, note)
    names = MARGIN + _width(row.group for row in rows) + 16
    axis = Axis.doubling(
        names + _width(row.name for row in rows) + 24,
        WIDTH - MARGIN - _VALUE - 24,
        min(row.ratio.low for row in rows) / 1.1,
        max(row.ratio.high for row in rows),
    )
    middles, bottom = _places(sheet, [row.group for row in rows])
    height = axis.draw(sheet, _TOP, bottom, unit)
    sheet.line(axis.at(1), _TOP, axis.at(1), bottom, "edge")
    for row, middle in zip(rows, middles, strict=True):
        sheet.text(names, middle + _MIDDLE, row.name)
        sheet.line(axis.at(row.ratio.low), middle, axis.at(row.ratio.high), middle, "ours range")
        sheet.dot(axis.at(row.ratio.median), middle, "ours")
        sheet.text(WIDTH - MARGIN, middle + _MIDDLE, f"{number(row.ratio.median)} ×", "ink strong", "end")
    return sheet.picture(
        height, _words((row.group, f"{row.name} {number(row.ratio.median)} ×") for row in rows)
    )


class Latency(NamedTuple):
    name: str
    p50: float
    p99: float
    ours: bool


def latencies(title: str, note: str, rows: Sequence[Latency]) -> Picture:
    """The median and the 99th percentile of each row, in milliseconds, joined by a line."""
    sheet = Sheet(title, note)
    axis = Axis.linear(
        MARGIN + _width(row.name for row in rows) + 56, WIDTH - MARGIN - _VALUE, max(row.p99 for row in rows)
    )
    middles, bottom = _places(sheet, ["" for _ in rows], _TOP + 20)
    height = axis.draw(sheet, _TOP + 20, bottom, "milliseconds")
    sheet.text(axis.at(rows[0].p50) - 10, _TOP + 8, "p50", anchor="end")
    sheet.text(axis.at(rows[0].p99) + 10, _TOP + 8, "p99")
    for row, middle in zip(rows, middles, strict=True):
        kind, values = ("ours", "ink strong") if row.ours else ("other", "ink")
        sheet.text(MARGIN, middle + _MIDDLE, row.name, "ink" if row.ours else "")
        sheet.line(axis.at(row.p50), middle, axis.at(row.p99), middle, f"{kind} range")
        sheet.dot(axis.at(row.p50), middle, kind)
        sheet.dot(axis.at(row.p99), middle, f"{kind} hollow")
        sheet.text(axis.at(row.p50) - 10, middle + _MIDDLE, number(row.p50), values, "end")
        sheet.text(axis.at(row.p99) + 10, middle + _MIDDLE, number(row.p99), "ink")
    words = [f"{row.name} {number(row.p50)} and {number(row.p99)}" for row in rows]
    return sheet.picture(height, f"p50 and p99: {', '.join(words)}.")


class Column(NamedTuple):
    """One column of ``small_curves``: its unit, and the values of each row."""

    unit: str
    values: Sequence[Sequence[float]]


def small_curves(
    title: str, note: str, unit: str, x: Sequence[float], names: Sequence[str], columns: Sequence[Column]
) -> Picture:
    """A curve for each row and column, from zero up, over a logarithmic axis; its first and last values as text."""
    sheet = Sheet(title, note)
    left = MARGIN + _width(names)
    each = (WIDTH - MARGIN - left) / len(columns)  # with the values, and a gap before the next
    row_height, tallest = 56.0, 32.0
    first_row = _TOP + 28
    bottom = first_row + row_height * len(names)
    for index, column in enumerate(columns):
        widest = _width(number(value) for values in column.values for value in (values[0], values[-1]))
        begin, end = left + each * index + widest + 16, left + each * (index + 1) - widest - 20
        axis = Axis(begin, end, [x[0], x[-1]], (x[0], x[-1]), True)
        sheet.text((begin + end) / 2, _TOP + 8, column.unit, anchor="middle")
        for row, values in enumerate(column.values):
            base = first_row + row_height * (row + 1) - 16
            scale = tallest / max(values)
            points = [(axis.at(at), base - value * scale) for at, value in zip(x, values, strict=True)]
            sheet.line(begin, base, end, base, "grid")
            sheet.curve(points, base)
            for point in points:
                sheet.dot(*point, "ours")
            (_, first), (_, last) = points[0], points[-1]
            sheet.text(begin - 10, first + _MIDDLE, number(values[0]), "ink", "end")
            sheet.text(end + 10, last + _MIDDLE, number(values[-1]), "ink")
        for tick in axis.ticks:
            sheet.text(axis.at(tick), bottom + 10, number(tick), anchor="middle")
        sheet.text((begin + end) / 2, bottom + 30, unit, anchor="middle")
    for row, name in enumerate(names):
        sheet.text(MARGIN, first_row + row_height * row + 10 + _MIDDLE, name, "ink")
    words = [
        f"{name}: " + ", ".join(_ends(column.values[row], column.unit) for column in columns)
        for row, name in enumerate(names)
    ]
    return sheet.picture(
        bottom + 30 + MARGIN, f"From {number(x[0])} to {number(x[-1])} {unit}. {'; '.join(words)}."
    )


def large_curve(
    title: str, note: str, units: tuple[str, str], x: Sequence[float], y: Sequence[float]
) -> Picture:
    """One curve over linear axes that begin at zero, with the value of each point as text. ``units``: of x and of y."""
    sheet = Sheet(title, note)
    axis = Axis.linear(MARGIN + _VALUE, WIDTH - MARGIN - _VALUE, max(x))
    levels = ticks_to(max(y))
    top, base = _TOP + 28.0, _TOP + 228.0
    scale = (base - top) / levels[-1]
    sheet.text(MARGIN, _TOP + 8, units[1])
    for level in levels:
        height = base - level * scale
        sheet.line(axis.left, height, axis.right, height, "grid")
        sheet.text(axis.left - 10, height + _MIDDLE, number(level), anchor="end")
    points = [(axis.at(at), base - value * scale) for at, value in zip(x, y, strict=True)]
    sheet.curve(points, base)
    for index, ((left, height), value) in enumerate(zip(points, y, strict=True)):
        sheet.dot(left, height, "ours")
        # Below the curve; the first above it, since the second may be near.
        sheet.text(left + 8, height + (18 if index else -12), number(value), "ink strong")
    for tick in axis.ticks:
        sheet.text(axis.at(tick), base + 20, number(tick), anchor="middle")
    sheet.text(axis.right, base + 40, units[0], anchor="end")
    words = [f"{number(at)}: {number(value)}" for at, value in zip(x, y, strict=True)]
    return sheet.picture(base + 40 + MARGIN, f"{units[1]}, by {units[0]}: {', '.join(words)}.")


def _words(rows: Iterable[tuple[str, str]]) -> str:
    """The rows of each group in one clause."""
    clauses = [
        f"{group}: {', '.join(row for _, row in of)}"
        for group, of in itertools.groupby(rows, lambda row: row[0])
    ]
    return f"{'; '.join(clauses)}."


def _ends(values: Sequence[float], unit: str) -> str:
    return f"{number(values[0])} to {number(values[-1])} {unit}"


def _width(texts: Iterable[str]) -> float:
    """About as wide as the longest of the texts."""
    return max(map(len, texts)) * _LETTER


def _places(sheet: Sheet, groups: Sequence[str], top: float = _TOP) -> tuple[list[float], float]:
    """The middle of each row, with gaps between the groups, whose names are written, and the bottom of the last."""
    middles: list[float] = []
    for group, rows in itertools.groupby(groups):
        top += _GROUP_GAP if middles else 0
        if group:
            sheet.text(MARGIN, top + _ROW / 2 + _MIDDLE, group, "ink")
        for _ in rows:
            middles.append(top + _ROW / 2)
            top += _ROW
    return middles, top
