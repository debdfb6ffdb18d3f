"""The way of a page view through the system, what is wrong with it, and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import pandas as pd
import streamlit as st

from services.dashboard import controls, flow, panel, view
from services.dashboard.backend import Backend, get_backend
from services.dashboard.desk import Action
from services.dashboard.format import duration
from services.dashboard.sidebar import pipeline_badge
from services.dashboard.view import View

_PLACE: Final = "pipeline"

#: what to do about a resource in this state
_REMEDY: Final = {
    "missing": "Apply creates it.",
    "drifted": "Apply repairs it and leaves the rest alone.",
    "failed": "Look at its detail; Apply tries again.",
    "unknown": "Its server cannot be asked: see `pagepulse status` and its log.",
}


def render() -> None:
    st.title("Pipeline")
    st.fragment(_live, run_every=view.current().every)()


def _live() -> None:
    backend, now = get_backend(), view.current()
    reading = backend.pipeline()
    status: dict[str, Any] = reading.value or {}
    generator, seeder = backend.generator(), backend.seeder()
    with st.container(border=True):
        state = "unknown" if reading.stale else str(status.get("state"))
        freshness = status.get("freshness_ms")
        age = f" :small[newest event is {duration(freshness)} old]" if freshness is not None else ""
        st.markdown(f"##### Flow {pipeline_badge(state)}{age}")
        panel.stale_note(reading, now)
        found = flow.stages(
            status, None if generator.stale else generator.value, None if seeder.stale else seeder.value
        )
        st.html(flow.html(found))
        st.caption(
            "From left to right: where events are made, the topics they enter, what reads them, and what is asked."
        )
    _actions(backend, now, state)
    _troubles(status)
    _resources(status)


def _actions(backend: Backend, now: View, state: str) -> None:
    control = backend.control
    with st.container(border=True):
        st.markdown("##### Actions")
        apply, verify, teardown = st.columns(3)
        with apply:
            controls.button(
                "Apply",
                Action(_PLACE, "Asking the provisioner to apply", control.apply, _accepted("Apply")),
                icon=":material/build:",
                kind="primary" if state in ("absent", "degraded") else "secondary",
            )
            st.caption("Creates what is missing, repairs what differs, leaves the rest alone.")
        with verify:
            controls.button(
                "Verify",
                Action(_PLACE, "Recomputing every table from the raw topics", control.verify, verdict),
                icon=":material/fact_check:",
                disabled=state == "absent",
            )
            st.caption("Recomputes every table from the raw topics and compares.")
        with teardown:
            sure = st.toggle("Really tear down", key="teardown-sure", help="Deletes tables, queries and the connector.")
            controls.button(
                "Tear down",
                Action(
                    _PLACE,
                    "Tearing down",
                    lambda: control.teardown(delete_topics=False),
                    _accepted("Teardown"),
                ),
                icon=":material/delete:",
                disabled=not sure,
            )
        controls.settle(backend, _PLACE, now)


def _accepted(what: str) -> controls.Words:
    def words(run: Mapping[str, Any]) -> str:
        state = run.get("state")
        return f"{what}: {state}." if state else f"{what} is done."

    return words


def verdict(report: Mapping[str, Any]) -> str:
    """One sentence from the report of the verifier."""
    tables = report.get("tables") or []
    if not tables:
        return "Verify was accepted."
    wrong = [str(table.get("name")) for table in tables if not table.get("ok", not table.get("different"))]
    return f"{len(tables)} tables compared: " + (f"{', '.join(wrong)} differ." if wrong else "all equal.")


def _troubles(status: Mapping[str, Any]) -> None:
    wrong = [r for r in status.get("resources") or [] if r.get("state") not in (None, "ok")]
    if not wrong or status.get("state") == "absent":
        return
    with st.container(border=True):
        st.markdown("##### What needs attention")
        for resource in wrong[:12]:
            remedy = _REMEDY.get(str(resource.get("state")), "")
            st.markdown(
                f"**{resource.get('name')}** is {resource.get('state')}: {resource.get('detail') or ''} {remedy}"
            )


def _resources(status: Mapping[str, Any]) -> None:
    resources = status.get("resources") or []
    if not resources:
        return
    with st.expander(f"All {len(resources)} parts"):
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
