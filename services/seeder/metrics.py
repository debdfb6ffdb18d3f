"""The seeder's Prometheus metrics, read from its jobs when they are scraped."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from services.seeder.schemas import JobState
from services.seeder.service import Seeder


class SeederCollector(Collector):
    def __init__(self, seeder: Seeder) -> None:
        self._seeder = seeder

    def collect(self) -> Iterator[Metric]:
        jobs, mutations = self._seeder.jobs, self._seeder.mutations
        finished = CounterMetricFamily("pagepulse_seeder_jobs", "Jobs that ended, by how", labels=["state"])
        ended = dict.fromkeys(set(JobState) - {JobState.RUNNING}, 0)
        for (_, state), count in jobs.outcomes.items():
            ended[JobState.of(state)] += count
        for name, count in ended.items():
            finished.add_metric([name], count)
        yield finished
        yield GaugeMetricFamily(
            "pagepulse_seeder_job_running", "1 while a write job runs", value=float(jobs.current is not None)
        )
        yield GaugeMetricFamily(
            "pagepulse_seeder_job_rows",
            "Rows written by the present or last job",
            value=jobs.newest.done if jobs.newest else 0,
        )
        changes = GaugeMetricFamily(
            "pagepulse_seeder_mutation_rows", "Rows changed by the last mutations", labels=["kind"]
        )
        for kind in ("updates", "deletes", "inserts"):
            changes.add_metric([kind], getattr(mutations, kind) if mutations else 0)
        yield changes
