"""The numbers of all processes as Prometheus reads them."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from shared.metrics.catalogue import FAMILIES
from shared.metrics.families import CountedDistribution, Counter, Gauge, Histogram, Labels, Snapshot


def exposition(snapshots: Mapping[str, Snapshot]) -> bytes:
    """The text of all metrics, from the snapshot of each worker: counters and histograms are sums, gauges are of each worker.

    The gauges of a worker that has ended must not be in its snapshot.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(snapshots))
    return generate_latest(registry)


class _Collector(Collector):
    def __init__(self, snapshots: Mapping[str, Snapshot]) -> None:
        self._snapshots = snapshots

    def collect(self) -> Iterator[Metric]:
        for family in FAMILIES.values():
            if isinstance(family, Counter):
                yield _counter(family, self._snapshots.values())
            elif isinstance(family, Histogram):
                yield _histogram(family, self._snapshots.values())
            else:
                yield _gauge(family, self._snapshots)


def _counter(family: Counter, snapshots: Iterable[Snapshot]) -> Metric:
    sums: defaultdict[Labels, int] = defaultdict(int)
    if not family.labels:
        sums[()] = 0  # one that has not counted yet is 0, not missing
    for snapshot in snapshots:
        for labels, value in snapshot.counters.get(family.name, ()):
            sums[tuple(labels)] += value
    metric = CounterMetricFamily(family.name, family.help, labels=family.labels)
    for key, total in sorted(sums.items()):
        metric.add_metric(key, total)
    return metric


def _histogram(family: Histogram, snapshots: Iterable[Snapshot]) -> Metric:
    size = len(family.bounds) + 1
    sums: dict[Labels, CountedDistribution] = {}
    if not family.labels:
        sums[()] = CountedDistribution([0] * size, 0.0)
    for snapshot in snapshots:
        for labels, one in snapshot.histograms.get(family.name, ()):
            all_ = sums.setdefault(tuple(labels), CountedDistribution([0] * size, 0.0))
            if len(one.counts) != size:  # of a worker of another version
                continue
            all_.counts = list(map(sum, zip(all_.counts, one.counts, strict=True)))
            all_.total += one.total
    metric = HistogramMetricFamily(family.name, family.help, labels=family.labels)
    bounds = [*(str(float(bound)) for bound in family.bounds), "+Inf"]
    for key, distribution in sorted(sums.items()):
        cumulated = itertools.accumulate(distribution.counts)
        metric.add_metric(key, list(zip(bounds, cumulated, strict=True)), distribution.total)
    return metric


def _gauge(family: Gauge, snapshots: Mapping[str, Snapshot]) -> Metric:
    metric = GaugeMetricFamily(family.name, family.help, labels=family.labels)
    values = {
        worker: snapshot.gauges[family.name]
        for worker, snapshot in snapshots.items()
        if family.name in snapshot.gauges
    }
    if not family.shared:
        for worker, value in sorted(values.items()):
            metric.add_metric([worker], value)
    elif values:
        metric.add_metric([], max(values.values()))
    return metric
