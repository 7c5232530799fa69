"""The dashboard, the alerts and the documents name metrics that exist, and all of them are explained."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from shared.metrics.catalogue import FAMILIES
from tests.support.metric_series import series
from tests.support.processes import ROOT

_DASHBOARD: Final = ROOT / "deploy/grafana/taskbeam.json"
_RULES: Final = ROOT / "deploy/prometheus/taskbeam.rules.yml"
_MONITOR: Final = ROOT / "docs/howto/monitor.md"
_METRIC: Final = re.compile(r"\btaskbeam_(?!client\b)[a-z_]+\b")

SERIES: Final = {name for family in FAMILIES.values() for name in series(family)}


def _panels() -> list[dict[str, Any]]:
    panels: list[dict[str, Any]] = json.loads(_DASHBOARD.read_text())["panels"]
    return panels


def _queries() -> Iterator[str]:
    for panel in _panels():
        for target in panel["targets"]:
            yield target["expr"]


def test_every_query_of_the_dashboard_is_of_metrics_that_exist() -> None:
    for query in _queries():
        names = set(_METRIC.findall(query))
        assert names, query
        assert names <= SERIES, query


def test_every_metric_is_on_the_dashboard() -> None:
    shown = {name for query in _queries() for name in _METRIC.findall(query)}
    assert [name for name in FAMILIES if not any(one.startswith(name) for one in shown)] == []


def test_every_panel_has_a_place_and_an_explanation() -> None:
    places = {(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in _panels()}
    assert len(places) == len(_panels())
    assert all(panel["description"] for panel in _panels())


def test_every_label_of_a_query_is_one_of_its_metric() -> None:
    labels = {label for family in FAMILIES.values() for label in family.labels} | {"le", "job"}
    for query in (*_queries(), _RULES.read_text()):
        for group in re.findall(r"\bby \(([a-z, ]+)\)", query):
            assert set(group.split(", ")) <= labels, query
        for label in re.findall(r"[{,]\s*([a-z_]+)\s*(?:=~|!~|=|!=)\s*\"", query):
            assert label in labels, query


def test_every_alert_is_of_metrics_that_exist() -> None:
    names = set(_METRIC.findall(_RULES.read_text()))
    assert names
    assert names <= SERIES


def test_every_alert_is_explained_and_no_other() -> None:
    alerts = re.findall(r"^ +- alert: (\w+)$", _RULES.read_text(), re.MULTILINE)
    explained = re.findall(r"^\| `(Taskbeam\w+)` \|", _MONITOR.read_text(), re.MULTILINE)
    assert alerts
    assert alerts == explained


@pytest.mark.parametrize(
    "page", [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))], ids=lambda page: page.stem
)
def test_every_metric_that_a_page_names_exists(page: Path) -> None:
    assert set(_METRIC.findall(page.read_text())) <= SERIES | FAMILIES.keys()


def test_promtool_accepts_the_alerts() -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("no promtool here: the Debian package prometheus has it")
    checked = subprocess.run(
        [promtool, "check", "rules", str(_RULES)], capture_output=True, text=True, check=False, timeout=30
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "12 rules found" in checked.stdout
