"""Prometheus metrics: runs, the pipeline as last observed, and the last audit. Collecting asks no server."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from services.provisioner.resource import State
from services.provisioner.service import Provisioner
from services.provisioner.watcher import Overall


class ProvisionerCollector(Collector):
    """Reads the provisioner's state when asked."""

    def __init__(self, provisioner: Provisioner) -> None:
        self._provisioner = provisioner

    def describe(self) -> Iterable[Metric]:
        """Nothing to say before the first collection; so registering does not collect."""
        return ()

    def collect(self) -> Iterable[Metric]:
        yield from self._runs()
        yield from self._status()
        yield from self._audit()

    def _runs(self) -> Iterable[Metric]:
        runs = CounterMetricFamily(
            "pagepulse_provisioner_runs", "Runs since the start, by kind and outcome", labels=["kind", "state"]
        )
        for (kind, state), count in (self._provisioner.changes.outcomes + self._provisioner.audits.outcomes).items():
            runs.add_metric([kind, state], count)
        yield runs

    def _status(self) -> Iterable[Metric]:
        status = self._provisioner.watcher.current
        states = Counter(entry.observation.state for entry in status.entries)
        resources = GaugeMetricFamily(
            "pagepulse_provisioner_resources", "Resources by state, as last observed", labels=["state"]
        )
        for state in State:
            resources.add_metric([state], states[state])
        yield resources
        if status.complete:
            yield GaugeMetricFamily(
                "pagepulse_provisioner_ready", "1 if every resource was ok when last observed", value=status.ready
            )
        yield GaugeMetricFamily(
            "pagepulse_provisioner_changing",
            "1 while an apply or a teardown runs",
            value=status.overall is Overall.CHANGING,
        )
        slow = sum(entry.slow for entry in status.entries)
        yield GaugeMetricFamily(
            "pagepulse_provisioner_slow_resources", "Resources whose server does not answer for the moment", value=slow
        )
        if status.observed_at is not None:
            age = (datetime.now(UTC) - status.observed_at).total_seconds()
            yield GaugeMetricFamily(
                "pagepulse_provisioner_observation_age_seconds",
                "Age of the oldest observation of a resource",
                value=age,
            )
        if status.freshness_ms is not None:
            yield GaugeMetricFamily(
                "pagepulse_pipeline_freshness_seconds",
                "Age of the newest event visible in Pinot, when last observed",
                value=status.freshness_ms / 1000,
            )

    def _audit(self) -> Iterable[Metric]:
        audit = self._provisioner.last_audit
        if audit is None:
            return
        rows = GaugeMetricFamily("pagepulse_audit_rows", "Rows of the last audit", labels=["table", "side", "verdict"])
        for table in audit.tables:
            for verdict in ("equal", "missing", "extra", "different", "unsure", "skipped"):
                rows.add_metric([table.table, table.side, verdict], getattr(table.comparison, verdict))
        yield rows
        if audit.ok is not None:
            yield GaugeMetricFamily("pagepulse_audit_ok", "1 if the last audit found no wrong row", value=audit.ok)
        yield GaugeMetricFamily(
            "pagepulse_audit_behind_records",
            "Records that the queries had not read when the last audit ended",
            value=sum(audit.behind.values()),
        )
        yield GaugeMetricFamily(
            "pagepulse_audit_duration_seconds", "How long the last audit took", value=audit.took_ms / 1000
        )
