"""The collector's Prometheus metrics, read when they are scraped."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector as MetricSource

from services.collector.service import Collector

_PREFIX = "pagepulse_collector"


class CollectorMetrics(MetricSource):
    def __init__(self, collector: Collector) -> None:
        self._collector = collector

    def collect(self) -> Iterator[Metric]:
        status = self._collector.status()
        events = CounterMetricFamily(f"{_PREFIX}_events", "Events received, by outcome", labels=["outcome"])
        for outcome in (
            "accepted",
            "duplicates",
            "ignored",
            "published",
            "replayed",
            "rejected_kept",
            "rejected_dropped",
        ):
            events.add_metric([outcome], getattr(status, outcome))
        yield events
        rejected = CounterMetricFamily(
            f"{_PREFIX}_rejected_events", "Events that are not valid, by field", labels=["field"]
        )
        for field, count in status.rejected.items():
            rejected.add_metric([field], count)
        yield rejected
        yield GaugeMetricFamily(
            f"{_PREFIX}_waiting_events", "Accepted, not yet acknowledged by Kafka", value=status.waiting
        )
        yield GaugeMetricFamily(f"{_PREFIX}_event_ids", "Event ids that are remembered", value=status.ids)
        yield CounterMetricFamily(
            f"{_PREFIX}_event_ids_dropped", "Event ids forgotten before their time", value=status.ids_dropped
        )
        yield GaugeMetricFamily(f"{_PREFIX}_journal_bytes", "Size of the journal", value=status.journal_bytes)
        yield GaugeMetricFamily(f"{_PREFIX}_journal_max_bytes", "Bound of the journal", value=status.journal_max_bytes)
