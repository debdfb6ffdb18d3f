"""What Prometheus would alert on, evaluated here from the services' own statuses and this process's trends, in words.

The rules are those of deploy/compose/observability/rules; what needs the history of a counter that no status has is not evaluated here
(``NOT_EVALUATED``). A rule that holds "for two minutes" reads the trends, so it cannot hold in the first two minutes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import streamlit as st

from services.dashboard.backend import Backend
from services.dashboard.format import clock, duration, number, plain
from services.dashboard.stale_cache import CachedResult
from services.dashboard.trends import Sample

NOT_EVALUATED: Final = ("RecordsDropped", "TransactionsFail")
_FOR_S: Final = 120.0
_LAG: Final = 100_000
_STALE_MS: Final = 60_000
#: 120 s, for a minute
_UNWATCHED_MS: Final = 180_000
_SLOW_ACK_MS: Final = 1_000

Severity = Literal["page", "warn"]


@dataclass(frozen=True, slots=True)
class Alert:
    """A rule that holds now: the rule's name in Prometheus, the situation and the remedy."""

    rule: str
    severity: Severity
    words: str


def evaluate(backend: Backend, zone: str, now: float | None = None) -> list[Alert]:
    """The alerts that hold, the severe ones first. Never raises a PagePulseError."""
    at = time.time() if now is None else now
    recent = [sample for sample in backend.trends.samples() if at - sample.at <= _FOR_S]
    # a rule may only speak of two minutes that were seen
    lasting = recent if recent and backend.trends.samples()[0].at <= at - 0.9 * _FOR_S else []
    rules: list[Callable[[], Iterator[Alert]]] = [
        lambda: _services(backend, zone),
        lambda: _load(backend, lasting),
        lambda: _users(backend),
        lambda: _pipeline(backend, lasting),
        lambda: _audit(backend),
    ]
    found = [alert for rule in rules for alert in rule()]
    return sorted(found, key=lambda alert: alert.severity != "page")


def draw(backend: Backend, zone: str) -> None:
    """The alerts, or that there are none."""
    found = evaluate(backend, zone)
    with st.container(border=True):
        st.markdown("## Alerts")
        if not found:
            st.markdown(":green-badge[:material/check_circle: OK] No alert is active.")
        for alert in found:
            colour, word = ("red", "Urgent") if alert.severity == "page" else ("orange", "Warning")
            st.markdown(f":{colour}-badge[:material/warning: {word}] **{alert.rule}**: {plain(alert.words)}")
        st.caption(
            "The rules of Prometheus, evaluated by this page from the services' statuses; docs/operations.md says what to do about each. "
            f"Not evaluated here: {' and '.join(NOT_EVALUATED)}."
        )


def _services(backend: Backend, zone: str) -> Iterator[Alert]:
    results: dict[str, CachedResult[Any]] = {
        "generator": backend.generator(),
        "seeder": backend.seeder(),
        "provisioner": backend.pipeline(),
        "Pinot": backend.newest(),
    }
    for name, result in results.items():
        if result.stale_since is not None and result.error is not None and result.error.status in (503, 504):
            yield Alert("ServiceDown", "page", f"{name} does not answer since {clock(result.stale_since, zone)}.")


def _load(backend: Backend, lasting: list[Sample]) -> Iterator[Alert]:
    result = backend.generator()
    status: Mapping[str, Any] = {} if result.stale else result.value or {}
    lost = {str(cause): count for cause, count in (status.get("failed") or {}).items() if count}
    if lost:
        causes = ", ".join(f"{number(count)} ({cause})" for cause, count in lost.items())
        yield Alert("EventsLost", "page", f"Events of this run that never reached Kafka: {causes}.")
    wanted = [sample for sample in lasting if sample.target]
    if (
        wanted
        and len(wanted) == len(lasting)
        and all((sample.rate or 0) < 0.8 * (sample.target or 0) for sample in wanted)
    ):
        last = wanted[-1]
        yield Alert(
            "GeneratorBehind",
            "warn",
            f"{number(last.rate)} events/s reach Kafka, less than 80 % of the {number(last.target)} asked for: lower the rate.",
        )
    slow = (status.get("ack_latency_ms") or {}).get("p99")
    if status.get("state") == "running" and slow is not None and slow > _SLOW_ACK_MS:
        yield Alert("AcknowledgementsSlow", "warn", f"One batch in a hundred waits {duration(slow)} or more for Kafka.")


def _users(backend: Backend) -> Iterator[Alert]:
    job = (backend.seeder().value or {}).get("job") or {}
    if job.get("state") == "failed":
        yield Alert(
            "SeederJobFailed", "warn", f"A job that writes users failed: {job.get('error') or 'see the seeder'}."
        )


def _pipeline(backend: Backend, lasting: list[Sample]) -> Iterator[Alert]:
    result = backend.pipeline()
    status: Mapping[str, Any] = {} if result.stale else result.value or {}
    for resource in status.get("resources") or []:
        if resource.get("kind") == "query" and resource.get("state") in ("failed", "drifted"):
            words = f"Query {resource['name']} is paused or has failed: {str(resource.get('detail')).rstrip('.')}."
            yield Alert("QueryStopped", "page", f"{words} Apply restarts it.")
    for name, (before, after) in _lags(lasting).items():
        if after > _LAG and after > before:
            yield Alert("QueryLags", "warn", f"The {name} is {number(after)} records behind, and falls back further.")
    if lasting and status.get("state") == "degraded" and all((sample.healthy or 0) < 1 for sample in lasting):
        wrong = [str(r.get("name")) for r in status.get("resources") or [] if r.get("state") not in ("ok", "unknown")]
        names = f": {', '.join(wrong[:3])}" if wrong else ""
        yield Alert(
            "PipelineNotReady", "page", f"Resources are not as they are meant to be{names}. Apply repairs them."
        )
    age_ms = status.get("age_ms")
    if age_ms is not None and age_ms > _UNWATCHED_MS:
        words = f"The provisioner last saw the whole pipeline {duration(age_ms)} ago: see its log."
        yield Alert("PipelineNotWatched", "warn", words)
    making = bool(lasting) and all((sample.rate or 0) > 0 for sample in lasting)
    ages = [sample.freshness_ms for sample in lasting]
    if making and all(age is None or age > _STALE_MS for age in ages):
        age = ages[-1]
        words = "There is none of the last 15 minutes" if age is None else f"The newest is {duration(age)} old"
        yield Alert("PipelineStale", "page", f"Events are made, but do not reach Pinot. {words}.")


def _lags(lasting: list[Sample]) -> dict[str, tuple[float, float]]:
    if not lasting:
        return {}
    first, last = lasting[0].lags, lasting[-1].lags
    return {name: (first.get(name, lag), lag) for name, lag in last.items()}


def _audit(backend: Backend) -> Iterator[Alert]:
    last = (backend.audit().value or {}).get("last") or {}
    if last.get("ok") is False:
        yield Alert("AuditFailed", "page", "A result differs from its recomputation: see the report of Verify.")
