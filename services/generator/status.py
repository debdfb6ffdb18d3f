"""The status that people and the dashboard see, taken from a run."""

from __future__ import annotations

from services.generator.run import Run
from services.generator.schemas import AchievedRate, Latency, MadeEvents, State, Status


def status_of(state: State, run: Run | None) -> Status:
    """Of ``run``; all zero before the first one."""
    if run is None:
        return Status(
            state=state,
            target_rate=None,
            achieved_rate=AchievedRate(last_1s=0, last_10s=0, overall=0),
            sent=0,
            acknowledged=0,
            failed={},
            in_flight=0,
            backpressured_s=0,
            ack_latency_ms=Latency(p50=None, p95=None, p99=None),
            made=MadeEvents(),
            users=0,
            profile=None,
            started_at=None,
            uptime_s=0,
            last_error=None,
        )
    statistics = run.statistics
    percentiles = statistics.percentiles()
    target = run.target_rate()
    return Status(
        state=state,
        target_rate=None if state is State.STOPPED or target is None else round(target, 3),
        achieved_rate=AchievedRate(
            last_1s=round(statistics.rate(1.0), 2),
            last_10s=round(statistics.rate(10.0), 2),
            overall=round(statistics.overall_rate(), 2),
        ),
        sent=statistics.sent,
        acknowledged=statistics.acknowledged,
        failed=dict(statistics.failed),
        in_flight=statistics.in_flight,
        backpressured_s=round(statistics.backpressured_s + run.pacer.slipped_s, 3),
        ack_latency_ms=Latency(p50=percentiles.p50, p95=percentiles.p95, p99=percentiles.p99),
        made=MadeEvents.model_validate(run.source.made),
        users=run.population,
        profile=None if state is State.STOPPED else run.profile.model_dump(mode="json"),
        started_at=run.started_at,
        uptime_s=round(statistics.uptime_s, 3),
        last_error=statistics.last_error,
    )
