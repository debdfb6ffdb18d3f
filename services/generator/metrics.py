"""The generator's Prometheus metrics, read from the run when they are scraped. Counters begin anew with each run."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from services.generator.controller import Controller
from services.generator.schemas import State
from services.generator.statistics import LATENCY_BUCKETS

_PREFIX = "pagepulse_generator"


class GeneratorCollector(Collector):
    def __init__(self, controller: Controller) -> None:
        self._controller = controller

    def collect(self) -> Iterator[Metric]:
        state, run = self._controller.state, self._controller.run
        states = GaugeMetricFamily(f"{_PREFIX}_state", "1 for the state that the generator is in", labels=["state"])
        for name in State:
            states.add_metric([name], float(name is state))
        yield states
        if run is None:
            return
        statistics = run.statistics
        target = run.target_rate() if state is not State.STOPPED else 0.0
        yield _gauge("target_rate_events_per_second", "Target rate; 0: unlimited", target or 0.0)
        yield _gauge("achieved_rate_events_per_second", "Acknowledged, over the last 10 s", statistics.rate(10.0))
        yield _gauge("in_flight_events", "Made and not yet acknowledged", statistics.in_flight)
        yield _gauge("population_users", "Users that may browse", run.population)
        yield CounterMetricFamily(
            f"{_PREFIX}_backpressured_seconds",
            "Time in which production waited for Kafka, or fell behind",
            value=statistics.backpressured_s + run.pacer.slipped_s,
        )
        events = CounterMetricFamily(f"{_PREFIX}_events", "Events by topic and outcome", labels=["topic", "outcome"])
        for topic, count in statistics.sent_by_topic.items():
            events.add_metric([topic, "sent"], count)
            events.add_metric([topic, "acknowledged"], statistics.acknowledged_by_topic[topic])
        yield events
        failed = CounterMetricFamily(f"{_PREFIX}_failed_events", "Events that are lost, by cause", labels=["cause"])
        for cause, count in statistics.failed.items():
            failed.add_metric([cause], count)
        yield failed
        made = CounterMetricFamily(f"{_PREFIX}_faults", "Events made faulty on purpose, by kind", labels=["kind"])
        for kind in ("late", "duplicate", "malformed"):
            made.add_metric([kind], getattr(run.source.made, kind))
        yield made
        yield HistogramMetricFamily(
            f"{_PREFIX}_ack_latency_seconds",
            "From making the oldest event of a batch to its acknowledgement",
            buckets=list(
                zip(map(floatToGoString, LATENCY_BUCKETS), accumulate(statistics.latency_counts), strict=True)
            ),
            sum_value=statistics.latency_sum_s,
        )


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"{_PREFIX}_{name}", text, value=value)
