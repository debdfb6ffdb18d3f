"""Prometheus' and Grafana's files: valid by Prometheus' own tool, complete, and about services that are there."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]

from tests.patience import STEP_S
from tests.unit.compose.files import REPOSITORY, hosts, own
from tests.unit.compose.observability import BOARDS, OBSERVABILITY, RULES, alerts, board, queries, scraped

RULE_TESTS = Path(__file__).with_name("rules_test.yml")


@pytest.mark.parametrize(
    "arguments",
    [("check", "config", OBSERVABILITY / "prometheus.yml"), ("check", "rules", RULES), ("test", "rules", RULE_TESTS)],
    ids=["config", "rules", "rule tests"],
)
def test_promtool_is_content(arguments: tuple[str | Path, ...]) -> None:
    done = subprocess.run(["promtool", *arguments], capture_output=True, text=True, timeout=STEP_S, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "SUCCESS" in done.stdout


def test_every_alert_has_a_test_that_raises_it_and_one_that_does_not() -> None:
    raised: set[str] = set()
    silent: set[str] = set()
    for test in yaml.safe_load(RULE_TESTS.read_text())["tests"]:
        for case in test["alert_rule_test"]:
            (raised if case["exp_alerts"] else silent).add(case["alertname"])
    assert raised == silent == set(alerts())


@pytest.mark.parametrize("name", alerts())
def test_every_alert_is_explained_where_it_says(name: str) -> None:
    document, _, anchor = alerts()[name]["annotations"]["runbook_url"].partition("#")
    headings = re.findall(r"^#+ (.+)$", (REPOSITORY / document).read_text(), flags=re.MULTILINE)
    assert anchor == name.lower()
    assert name in headings


def test_every_service_is_scraped_where_it_listens() -> None:
    assert set(scraped()) == set(own())
    for job, target in scraped().items():
        host, port = target.split(":")
        assert host == job
        assert int(port) in hosts("control")[host]


def test_grafana_has_the_address_of_prometheus_and_finds_its_boards() -> None:
    provisioning = OBSERVABILITY / "grafana" / "provisioning"
    (source,) = yaml.safe_load((provisioning / "datasources" / "prometheus.yaml").read_text())["datasources"]
    host, port = source["url"].removeprefix("http://").split(":")
    assert int(port) in hosts("control")[host]
    for path in BOARDS:
        panels = board(path)["panels"]
        assert {panel["datasource"]["uid"] for panel in panels} == {source["uid"]}
        assert len({panel["id"] for panel in panels}) == len(panels)
        assert all(panel["description"] for panel in panels)
    assert len({board(path)["uid"] for path in BOARDS}) == len(BOARDS)
    assert len(queries()) > 20


@pytest.mark.parametrize("path", BOARDS, ids=lambda path: path.stem)
def test_panels_do_not_overlap(path: Path) -> None:
    cells: set[tuple[int, int]] = set()
    for panel in board(path)["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        mine = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not mine & cells, panel["title"]
        cells |= mine
