"""Statistics: percentiles, spreads over rounds, and ratios within a round."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

import msgspec


class Spread(msgspec.Struct, frozen=True):
    """Median, minimum and maximum over the rounds."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        return cls(statistics.median(values), min(values), max(values))


def percentile(ordered: Sequence[float], part: float) -> float:
    """The value below which ``part`` of the ordered values lie."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]


def ratios(values: Sequence[float], baselines: Sequence[float]) -> Spread:
    """The ratio of each round's value to the same round's baseline."""
    return Spread.of([value / base for value, base in zip(values, baselines, strict=True)])
