"""The metrics of the runtime, read from its counters at the time of scraping."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from services.ksql.runtime.thread import Runtime


class RuntimeCollector(Collector):
    """Reads plain numbers of another thread: each is one reference, so no lock is needed."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def describe(self) -> list[Metric]:
        """Nothing in advance: the runtime does not exist yet when the collector is registered."""
        return []

    def collect(self) -> Iterator[Metric]:
        try:
            queries = self._runtime.core.query_manager
        except RuntimeError:
            return
        label = ["query"]
        consumed = CounterMetricFamily("ksql_records_consumed", "Records read by a query", labels=label)
        produced = CounterMetricFamily("ksql_records_produced", "Records written by a query", labels=label)
        dropped = CounterMetricFamily("ksql_records_dropped", "Records dropped by a query", labels=[*label, "cause"])
        lag = GaugeMetricFamily("ksql_lag_records", "Records of its inputs that a query has not read", labels=label)
        running = GaugeMetricFamily("ksql_query_running", "1 if the query runs, 0 if paused or failed", labels=label)
        for query in list(queries.queries.values()):
            consumed.add_metric([query.id], sum(list(query.meter.consumed.values())))
            produced.add_metric([query.id], query.meter.produced)
            for cause, count in query.dropped().items():
                dropped.add_metric([query.id, cause], count)
            lag.add_metric([query.id], query.lag)
            running.add_metric([query.id], query.state == "RUNNING")
        yield from (consumed, produced, dropped, lag, running)
        yield CounterMetricFamily("ksql_transactions", "Committed transactions", value=queries.transactions)
        yield CounterMetricFamily("ksql_session_failures", "Failed transactions and restarts", value=queries.failures)
        yield GaugeMetricFamily("ksql_commit_seconds", "Duration of the last commit", value=queries.commit_seconds)
        yield GaugeMetricFamily("ksql_push_queries", "Open push queries", value=len(queries.transients))
        yield GaugeMetricFamily("ksql_consumers", "Consumers", value=len(queries.consumers))
        if (kept := self._runtime.core.rejected) is not None:
            outcomes = CounterMetricFamily(
                "ksql_rejected_records", "Records that no query can read, by what became of them", labels=["outcome"]
            )
            outcomes.add_metric(["written"], kept.written)
            outcomes.add_metric(["lost"], kept.lost)
            yield outcomes
