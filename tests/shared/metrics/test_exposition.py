"""The numbers of several workers in one text."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from shared.metrics.catalogue import (
    COMMIT_GROUP_SIZE,
    CONNECTIONS,
    DATABASE_ERRORS,
    DATABASE_LOG_BYTES,
    FAMILIES,
    REQUESTS,
)
from shared.metrics.exposition import exposition
from shared.metrics.families import (
    CountedDistribution,
    Counter,
    Gauge,
    Histogram,
    Labels,
    Snapshot,
    resume,
    take_snapshot,
)

Samples = dict[tuple[str, Labels], float]


def samples(text: bytes) -> Samples:
    return {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def snapshot(requests: int, sizes: list[int], connections: int, log: int) -> Snapshot:
    return Snapshot(
        {REQUESTS.name: [(["/", "GET", "200"], requests)]},
        {COMMIT_GROUP_SIZE.name: [([], CountedDistribution(sizes, 10.0))]},
        {CONNECTIONS.name: connections, DATABASE_LOG_BYTES.name: log},
    )


def test_counters_and_histograms_are_sums_and_gauges_are_of_each_worker() -> None:
    size = len(COMMIT_GROUP_SIZE.bounds) + 1
    found = samples(
        exposition(
            {
                "rest_gateway-0": snapshot(3, [2] + [0] * (size - 1), 5, 100),
                "ws_server-0": snapshot(4, [1] * size, 7, 90),
            }
        )
    )
    assert found["taskbeam_requests_total", ("GET", "/", "200")] == 7
    assert found["taskbeam_commit_group_size_bucket", ("1.0",)] == 3
    assert found["taskbeam_commit_group_size_bucket", ("+Inf",)] == size + 2
    assert found["taskbeam_commit_group_size_count", ()] == size + 2
    assert found["taskbeam_commit_group_size_sum", ()] == 20
    assert found["taskbeam_connections", ("rest_gateway-0",)] == 5
    assert found["taskbeam_connections", ("ws_server-0",)] == 7
    assert found["taskbeam_database_log_bytes", ()] == 100


def test_a_counter_without_labels_begins_at_0() -> None:
    assert samples(exposition({}))[DATABASE_ERRORS.name, ()] == 0


def test_a_worker_of_another_version_with_other_buckets_is_left_out() -> None:
    found = samples(exposition({"ws_server-0": snapshot(1, [1, 2], 1, 1)}))
    assert found["taskbeam_commit_group_size_count", ()] == 0


def test_every_metric_is_in_the_text() -> None:
    text = exposition({}).decode()
    for family in FAMILIES.values():
        assert f"# HELP {family.name} {family.help.replace(chr(92), chr(92) * 2)}\n" in text


def test_what_was_counted_before_is_gone_on_with() -> None:
    counter, histogram = Counter("a_total", "", "label"), Histogram("b", "", (1, 2))
    gauge = Gauge("c", "")
    gauge.read = lambda: 5.0
    families: dict[str, Counter | Histogram | Gauge] = {"a_total": counter, "b": histogram, "c": gauge}
    counter.child("x").value += 3
    histogram.child().observe(1)
    histogram.child().observe(9)
    before = take_snapshot(families)
    resume(families, before)
    assert counter.child("x").value == 6
    assert (histogram.child().counts, histogram.child().total) == ([2, 0, 2], 20.0)


def test_what_was_counted_by_another_version_is_left_out() -> None:
    before = Snapshot(
        {"a_total": [(["x", "y"], 1)], "gone_total": [([], 1)]},
        {"b": [([], CountedDistribution([1], 1.0))], "gone": []},
        {},
    )
    counter, histogram = Counter("a_total", "", "label"), Histogram("b", "", (1, 2))
    resume({"a_total": counter, "b": histogram}, before)
    assert (counter.children, histogram.children) == ({}, {})


def test_an_observation_counts_in_the_bucket_of_the_least_bound_that_holds_it() -> None:
    histogram = Histogram("b", "", (1, 2))
    for value in (0.5, 1, 1.5, 2, 3):
        histogram.child().observe(value)
    assert histogram.child().counts == [2, 2, 1]
