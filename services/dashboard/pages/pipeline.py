"""The path of a page view through the system, its faults and their remedies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import pandas as pd
import streamlit as st

from services.dashboard import alerts, audits, chart_card, flow, runs, view_state, widgets
from services.dashboard.actions import Action
from services.dashboard.backend import Backend, get_backend
from services.dashboard.charts.lag import lag_over_time
from services.dashboard.format import duration, plain
from services.dashboard.sidebar import pipeline_badge
from services.dashboard.stale_cache import CachedResult

_PLACE: Final = "pipeline"

#: what to do about a resource in this state
_REMEDY: Final = {
    "missing": "Apply creates it.",
    "drifted": "Apply repairs it and leaves the rest alone.",
    "failed": "See its detail; Apply tries again.",
    "unknown": "Its server is unavailable: see `pagepulse status` and its log.",
}


def render() -> None:
    st.fragment(_flow, run_every=view_state.current().every)()
    st.fragment(_actions, run_every=view_state.current().every)()
    backend = get_backend()
    running = runs.is_running(backend) or audits.is_running()
    st.fragment(_progress, run_every=runs.EVERY_S if running else None)(backend, running)
    st.fragment(_health, run_every=view_state.current().every)()
    st.fragment(_parts, run_every=view_state.current().every)()


def _flow() -> None:
    backend, now = get_backend(), view_state.current()
    reading = backend.pipeline()
    status: dict[str, Any] = reading.value or {}
    generator, seeder, collector = backend.generator(), backend.seeder(), backend.collector()
    with st.container(border=True):
        state = "unknown" if reading.stale else str(status.get("state"))
        st.markdown(f"## Flow {pipeline_badge(state)}")
        chart_card.stale_note(reading, now)
        found = flow.stages(
            flow.unheard(status) if reading.stale else status,
            None if generator.stale else generator.value,
            None if seeder.stale else seeder.value,
            None if collector.stale else collector.value,
        )
        flow.draw(found)
        freshness = status.get("freshness_ms")
        age = f" The newest event in Pinot is {duration(freshness)} old." if freshness is not None else ""
        st.caption(
            "Rates are records per second: what enters a topic, what a query reads, what a table takes in "
            "(newer rows of a window replace older ones). Lag: records not read yet. "
            "Dropped: records that a query cannot use, such as late ones."
            f"{age}"
        )


def _progress(backend: Backend, was_running: bool) -> None:
    runs.draw(backend)
    audits.draw(backend)
    if was_running and not (runs.is_running(backend) or audits.is_running()):
        backend.acted()
        st.rerun()


def _health() -> None:
    cards = chart_card.here()
    if cards.view.range != "5m":  # samples are kept for no longer
        cards = replace(cards, view=replace(cards.view, range="15m", dates=None))
    alerts.draw(cards.backend, cards.view.zone)
    cards.chart(
        "Lag over time",
        "Records that each query and table has not read yet, sampled every 15 seconds for 15 minutes.",
        CachedResult(cards.backend.trends.lags()),
        lambda frame: lag_over_time(frame, cards.theme),
        key="lag",
        empty="No lag has been sampled yet.",
    )


def _parts() -> None:
    status = flow.rated(get_backend().pipeline().value or {})
    _troubles(status)
    _resources(status)


def _actions() -> None:
    backend, now = get_backend(), view_state.current()
    reading, control = backend.pipeline(), backend.control
    state = "unknown" if reading.stale else str((reading.value or {}).get("state"))
    with st.container(border=True):
        st.markdown("## Actions")
        apply, verify, teardown = st.columns(3)
        with apply:
            widgets.button(
                "Apply",
                Action(_PLACE, "Asking the provisioner to apply", control.apply, _accepted),
                icon=":material/build:",
                kind="primary" if state in ("absent", "degraded") else "secondary",
            )
            st.caption("Creates what is missing, repairs what differs, leaves the rest alone.")
        with verify:
            widgets.button(
                "Verify",
                Action(_PLACE, "Asking the provisioner to verify", lambda: audits.begin(backend), _auditing),
                icon=":material/fact_check:",
                disabled=state == "absent",
            )
            st.caption("Recomputes every table from the raw topics and compares.")
        with teardown:
            _teardown(backend)
        widgets.settle(backend, _PLACE, now)


def _teardown(backend: Backend) -> None:
    with st.popover("Tear down", icon=":material/delete:", width="stretch"):
        st.markdown("Removes the Pinot tables, the queries and the connector. Apply creates them again.")
        topics = st.checkbox("Delete the topics and their records too", key="teardown-topics")
        widgets.button(
            "Tear it down",
            Action(
                _PLACE,
                "Asking the provisioner to tear down",
                lambda: backend.control.teardown(delete_topics=topics),
                _accepted,
            ),
            icon=":material/delete_forever:",
        )
    st.caption("Removes the pipeline in reverse order.")


def _accepted(run: Mapping[str, Any]) -> str:
    return f"{str(run.get('kind', 'run')).capitalize()} has begun; its progress is below."


def _auditing(_: Mapping[str, Any]) -> str:
    return "Verify has begun; its progress and its result are below."


def _troubles(status: Mapping[str, Any]) -> None:
    wrong = [r for r in status.get("resources") or [] if r.get("state") not in (None, "ok")]
    if not wrong or status.get("state") == "absent":
        return
    with st.container(border=True):
        st.markdown("## Needs attention")
        for resource in wrong[:12]:
            remedy = _REMEDY.get(str(resource.get("state")), "")
            st.markdown(
                f"**{plain(str(resource.get('name')))}** is {resource.get('state')}: "
                f"{plain(str(resource.get('detail') or ''))} {remedy}"
            )


def _resources(status: Mapping[str, Any]) -> None:
    resources = status.get("resources") or []
    if not resources:
        return
    with st.expander(f"All {len(resources)} resources"):
        frame = pd.DataFrame(
            [
                {
                    "Kind": str(r.get("kind")).replace("_", " "),
                    "Name": r.get("name"),
                    "State": r.get("state"),
                    "Figures": flow.figure(r),
                    "Detail": r.get("detail") or "",
                }
                for r in resources
            ]
        )
        st.dataframe(frame, hide_index=True, width="stretch")
