"""What the tests read of deploy/compose/observability."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

from tests.unit.compose.files import FOLDER

OBSERVABILITY = FOLDER / "observability"
RULES = OBSERVABILITY / "rules" / "pagepulse.yml"
BOARDS = sorted((OBSERVABILITY / "grafana" / "boards").glob("*.json"))


@cache
def prometheus() -> dict[str, Any]:
    """Prometheus' configuration."""
    return dict(yaml.safe_load((OBSERVABILITY / "prometheus.yml").read_text()))


def scraped() -> dict[str, str]:
    """Job to ``host:port``."""
    found = {}
    for job in prometheus()["scrape_configs"]:
        if "dns_sd_configs" in job:
            (named,) = job["dns_sd_configs"]
            found[job["job_name"]] = f"{named['names'][0]}:{named['port']}"
        else:
            found[job["job_name"]] = job["static_configs"][0]["targets"][0]
    return found


@cache
def alerts() -> dict[str, dict[str, Any]]:
    """Alert to rule."""
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}


def board(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text()))


def queries() -> dict[str, str]:
    """Every panel's queries: its place, to PromQL."""
    return {
        f"{path.stem}: {panel['title']} {target['refId']}": target["expr"]
        for path in BOARDS
        for panel in board(path)["panels"]
        for target in panel["targets"]
    }


def metrics(expression: str) -> set[str]:
    """The metrics that a PromQL expression reads."""
    return set(re.findall(r"\b(?:pagepulse|ksql)_\w+|\bup\b", expression))
