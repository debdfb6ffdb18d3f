"""Each rule of Prometheus that a status can answer, in words; none while all is well."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from services.dashboard import alerts
from services.dashboard.backend import Backend
from services.dashboard.trends import Sample
from tests.unit.dashboard.fakes import PIPELINE, Pinot, Services, backend, flowing

NOW = 1_800_000_000.0
RULES = Path(__file__).parents[3] / "deploy" / "compose" / "observability" / "rules" / "pagepulse.yml"

Case = Callable[[Services, Backend], None]


def sampled(made: Backend, **figures: Any) -> None:
    """Figures that held for two minutes."""
    for second in range(150, -1, -15):
        known: dict[str, Any] = {"rate": 200.0, "freshness_ms": 500.0, "healthy": 1.0, "lags": {}, "target": 200.0}
        known |= {name: value(second) if callable(value) else value for name, value in figures.items()}
        made.trends.add(Sample(NOW - second, **known))


def lost(services: Services, _: Backend) -> None:
    services.generator["failed"] = {"timeout": 3}


def slow(services: Services, _: Backend) -> None:
    services.generator |= {"state": "running", "ack_latency_ms": {"p99": 1_500}}


def stopped(services: Services, _: Backend) -> None:
    query = {"kind": "query", "name": "pageview_session", "state": "drifted", "detail": "its query is paused"}
    services.pipeline = {**PIPELINE, "resources": [query]}


def not_ready(services: Services, made: Backend) -> None:
    services.pipeline = {**PIPELINE, "state": "degraded"}
    sampled(made, healthy=0.9)


CASES: dict[str, Case] = {
    "ServiceDown": lambda services, _: services.unavailable.add("seeder"),
    "EventsLost": lost,
    "GeneratorBehind": lambda _, made: sampled(made, rate=100.0),
    "AcknowledgementsSlow": slow,
    "SeederJobFailed": lambda services, _: setattr(services, "job", {"state": "failed", "error": "no table"}),
    "QueryStopped": stopped,
    "QueryLags": lambda _, made: sampled(made, lags=lambda second: {"query a": 300_000.0 - second}),
    "PipelineNotReady": not_ready,
    "PipelineNotWatched": lambda services, _: services.pipeline.update(age_ms=400_000),
    "PipelineStale": lambda _, made: sampled(made, freshness_ms=61_000.0),
    "AuditFailed": lambda services, _: setattr(services, "last_audit", {"ok": False}),
}


@pytest.fixture
def services() -> Services:
    return Services()


@pytest.fixture
def made(services: Services) -> Backend:
    return backend(Pinot(flowing()), services)


def test_no_rule_holds_while_all_is_well(made: Backend) -> None:
    sampled(made)
    assert alerts.evaluate(made, "UTC", NOW) == []


@pytest.mark.parametrize("rule", CASES)
def test_a_rule_that_holds_is_said(rule: str, services: Services, made: Backend) -> None:
    CASES[rule](services, made)
    found = alerts.evaluate(made, "UTC", NOW)
    assert [alert.rule for alert in found] == [rule]
    assert found[0].words.endswith(".")


def test_two_minutes_must_have_been_seen(made: Backend) -> None:
    made.trends.add(Sample(NOW - 10, 1.0, 90_000.0, 0.5, target=200.0))
    assert alerts.evaluate(made, "UTC", NOW) == []


def test_results_that_never_arrive_while_events_are_made_are_an_alert(made: Backend) -> None:
    sampled(made, freshness_ms=None)
    assert [alert.rule for alert in alerts.evaluate(made, "UTC", NOW)] == ["PipelineStale"]


def test_without_load_nothing_is_late(made: Backend) -> None:
    sampled(made, freshness_ms=None, rate=0.0, target=None)
    assert alerts.evaluate(made, "UTC", NOW) == []


def test_a_lag_that_shrinks_is_no_alert(made: Backend) -> None:
    sampled(made, lags=lambda second: {"query a": 200_000.0 + second})
    assert alerts.evaluate(made, "UTC", NOW) == []


def test_every_rule_of_prometheus_is_evaluated_or_named_as_not() -> None:
    groups = yaml.safe_load(RULES.read_text())["groups"]
    rules = {rule["alert"] for group in groups for rule in group["rules"]}
    assert rules == {*CASES, *alerts.NOT_EVALUATED}
