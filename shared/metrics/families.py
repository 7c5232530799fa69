"""Counters, histograms and gauges, as plain numbers: to count costs some 40 ns, to observe some 200.

`prometheus_client`'s own, in its multiprocess mode, write to a mapped file each time, which takes a microsecond. Here a task
publishes the numbers once a second (``publisher``).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Generic, TypeVar

import msgspec

Labels = tuple[str, ...]


class Count:
    """One counter: callers add to ``value`` themselves."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0


class Distribution:
    """One histogram: how many observations were at most each bound, and their sum."""

    __slots__ = ("_bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self.counts = [0] * (len(bounds) + 1)  # the last one: above all bounds
        self.total = 0.0

    def observe(self, value: float) -> None:
        self.counts[bisect_left(self._bounds, value)] += 1
        self.total += value


C = TypeVar("C", bound=Count | Distribution)


class _Family(Generic[C]):
    """A metric and its children, one for each combination of labels. What labels there are depends on no client."""

    def __init__(self, name: str, help: str, labels: Labels, make: Callable[[], C]) -> None:
        self.name = name
        self.help = help
        self.labels = labels
        self.children: dict[Labels, C] = {}
        self._make: Callable[[], C] = make

    def child(self, *labels: str) -> C:
        """The counter or histogram of these labels, which callers keep where they count often."""
        assert len(labels) == len(self.labels)
        child = self.children.get(labels)
        if child is None:
            child = self.children[labels] = self._make()
        return child


class Counter(_Family[Count]):
    """Only grows, while the processes run. ``name`` ends with ``_total``."""

    def __init__(self, name: str, help: str, *labels: str) -> None:
        super().__init__(name, help, labels, Count)


class Histogram(_Family[Distribution]):
    """``bounds`` are those of its buckets, in its unit."""

    def __init__(self, name: str, help: str, bounds: Sequence[float], *labels: str) -> None:
        super().__init__(name, help, labels, lambda: Distribution(bounds))
        self.bounds: Final = tuple(bounds)


class Gauge:
    """The state of each process, read by ``read`` once a second.

    Args:
        shared: a state of the database, the same for all processes; without a label.
    """

    def __init__(self, name: str, help: str, *, shared: bool = False) -> None:
        self.name = name
        self.help = help
        self.shared = shared
        self.labels: Labels = () if shared else ("worker",)
        self.read: Callable[[], float] | None = None  # ``None``: this process has no such state


class CountedDistribution(msgspec.Struct):
    """A histogram as it is published."""

    counts: list[int]
    total: float


class Snapshot(msgspec.Struct):
    """All numbers of one process, by name and labels."""

    counters: dict[str, list[tuple[list[str], int]]]
    histograms: dict[str, list[tuple[list[str], CountedDistribution]]]
    gauges: dict[str, float]


def take_snapshot(families: Mapping[str, Counter | Histogram | Gauge]) -> Snapshot:
    """The numbers as they are now."""
    snapshot = Snapshot({}, {}, {})
    for name, family in families.items():
        if isinstance(family, Counter):
            snapshot.counters[name] = [
                (list(labels), count.value) for labels, count in family.children.items()
            ]
        elif isinstance(family, Histogram):
            snapshot.histograms[name] = [
                (list(labels), CountedDistribution(child.counts.copy(), child.total))
                for labels, child in family.children.items()
            ]
        elif family.read is not None:
            snapshot.gauges[name] = family.read()
    return snapshot


def resume(families: Mapping[str, Counter | Histogram | Gauge], before: Snapshot) -> None:
    """Go on counting where a worker has ended: else the sum of all workers would shrink, and Prometheus take that for a
    new start of all of them. Numbers of metrics that are no longer so are left out."""
    for name, counts in before.counters.items():
        family = families.get(name)
        if isinstance(family, Counter):
            for labels, value in counts:
                if len(labels) == len(family.labels):
                    family.child(*labels).value += value
    for name, distributions in before.histograms.items():
        family = families.get(name)
        if isinstance(family, Histogram):
            for labels, was in distributions:
                if len(labels) == len(family.labels) and len(was.counts) == len(family.bounds) + 1:
                    child = family.child(*labels)
                    child.counts[:] = map(sum, zip(child.counts, was.counts, strict=True))
                    child.total += was.total
