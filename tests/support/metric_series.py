"""The names by which Prometheus knows a metric."""

from __future__ import annotations

from shared.metrics.families import Counter, Gauge, Histogram


def series(family: Counter | Histogram | Gauge) -> list[str]:
    """A histogram has three."""
    suffixes = ("_bucket", "_sum", "_count") if isinstance(family, Histogram) else ("",)
    return [f"{family.name}{suffix}" for suffix in suffixes]
