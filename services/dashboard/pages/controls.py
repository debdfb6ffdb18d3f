"""Everything that can be steered: load, users, changes of users."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import streamlit as st

from services.dashboard import chart_card, load_profiles, view_state, widgets
from services.dashboard.actions import Action
from services.dashboard.backend import Backend, get_backend
from services.dashboard.format import duration, number, plain, plural
from services.dashboard.plot import element
from services.dashboard.sidebar import generator_badge

_PLACE: Final = "controls"
_USERS: Final = "users"
#: state of the generator -> what to do next
_NEXT: Final = {
    "running": "A new rate acts at once, a new profile when you press **Use this profile now**.",
    "paused": "No events are generated. Press **Resume** to continue.",
    "stopping": "No more events are generated; the last ones are being acknowledged.",
    "stopped": "No events are generated. Choose a rate and a profile, then press **Start**.",
}
_UNAVAILABLE: Final = "See `pagepulse status` and `pagepulse logs generator`."


def render() -> None:
    st.fragment(_load, run_every=view_state.current().every)()
    st.fragment(_users, run_every=view_state.current().every)()


def _load() -> None:
    backend, now = get_backend(), view_state.current()
    reading = backend.generator()
    status: dict[str, Any] = reading.value or {}
    state = "unknown" if reading.stale else str(status.get("state", "unknown"))
    with st.container(border=True):
        st.markdown(f"## Load {generator_badge(state)}")
        chart_card.stale_note(reading, now)
        st.caption(_NEXT.get(state, _UNAVAILABLE))
        rate = widgets.rate(backend, status, _PLACE)
        idle = state not in ("running", "paused")
        profile = _profile(backend, rate, now, idle=idle)
        options = {"rate": rate, "profile": profile, **_imperfections(idle=idle)}
        widgets.generator_buttons(backend, state, options, _PLACE)
        widgets.settle(backend, _PLACE, now)
        _numbers(status)


def _profile(backend: Backend, rate: float, now: view_state.ViewState, *, idle: bool) -> dict[str, Any]:
    with st.expander("Profile: how the rate changes over time", expanded=True):
        profile = load_profiles.choose(backend.profiles().value or {}, _PLACE)
        points = backend.preview(profile, rate)
        if points.error is not None:
            st.caption(f"No preview: {plain(points.error.detail)}")
        if points.value is not None:
            element.draw(
                load_profiles.preview(points.value, str(profile["kind"]), chart_card.ChartCards(backend, now).theme),
                key="profile-preview",
                config={"displayModeBar": False},
                alt=f"The rate over time with the profile {profile['kind']}",
            )
        if not idle:
            widgets.button(
                "Use this profile now",
                Action(
                    _PLACE,
                    "Changing the profile",
                    lambda: backend.control.set_profile(profile),
                    lambda _: f"The load follows the profile {profile['kind']}.",
                ),
                icon=":material/show_chart:",
            )
    return profile


def _imperfections(*, idle: bool) -> dict[str, float]:
    with st.expander("Imperfect data"):
        st.caption(
            "Shares of events that are generated late, twice or malformed, to test how the pipeline handles them. "
            "They take effect at the next start."
        )
        late, duplicate, malformed = st.columns(3)
        shares = {}
        for column, name, label in (
            (late, "late_fraction", "Late"),
            (duplicate, "duplicate_fraction", "Duplicate"),
            (malformed, "malformed_fraction", "Malformed"),
        ):
            with column:
                percent = st.slider(label, 0.0, 20.0, 0.0, 0.5, format="%.1f %%", key=name, disabled=not idle)
                if percent:
                    shares[name] = percent / 100
    return shares


def _numbers(status: Mapping[str, Any]) -> None:
    if not status:
        return
    made = status.get("made") or {}
    latency = status.get("ack_latency_ms") or {}
    columns = st.columns(4)
    columns[0].metric("Acknowledged", number(status.get("acknowledged")))
    columns[1].metric("Failed", number(sum((status.get("failed") or {}).values())))
    columns[2].metric("Ack latency, p95", duration(latency.get("p95")))
    columns[3].metric(
        "Late · duplicate · malformed", " · ".join(number(made.get(n, 0)) for n in ("late", "duplicate", "malformed"))
    )


def _users() -> None:
    backend, now = get_backend(), view_state.current()
    reading = backend.seeder()
    status: dict[str, Any] = reading.value or {}
    with st.container(border=True):
        st.markdown("## Users")
        chart_card.stale_note(reading, now)
        if reading.value is not None:
            st.caption(_counted(status))
        _seed(backend)
        _mutations(backend, status)
        widgets.settle(backend, _USERS, now)


def _counted(status: Mapping[str, Any]) -> str:
    if not status.get("users"):
        return "There are no users, and page views are joined with them. Press **Seed users**."
    nulls = number(status.get("with_nulls"))
    return f"{plural(status['users'], 'user')} in the table, {nulls} of them with missing fields."


def _seed(backend: Backend) -> None:
    count_column, seed_column, null_column, mode_column = st.columns(4)
    count = count_column.number_input("How many", 1, 1_000_000, 1_000, step=500, key="seed-count")
    seed = seed_column.number_input(
        "Random seed", 0, 2**31 - 1, 42, key="seed-seed", help="The same seed gives the same users."
    )
    nulls = null_column.slider(
        "Incomplete",
        0,
        50,
        5,
        format="%d %%",
        key="seed-nulls",
        help="The share of users with missing fields. The pipeline leaves them out.",
    )
    mode = mode_column.segmented_control(
        "Existing users",
        ["append", "replace"],
        default="append",  # what deletes everybody must be chosen, not happen by default
        required=True,
        key="seed-mode",
    )
    options = {"count": count, "seed": seed, "null_fraction": nulls / 100, "mode": mode}
    widgets.button(
        "Seed users",
        Action(_USERS, "Asking the seeder", lambda: backend.control.seed(options), _job_words),
        icon=":material/group_add:",
    )


def _mutations(backend: Backend, status: Mapping[str, Any]) -> None:
    # the seeder also reports changes that have ended
    running = bool((status.get("mutations") or {}).get("running"))
    with st.expander("Keep users changing", key="changes"):
        st.caption(
            "Updates, inserts and deletes in the users table: change capture brings each to Kafka. They end after 10 minutes."
        )
        fields = {}
        columns = st.columns(3)
        for column, name, value in zip(columns, ("updates", "inserts", "deletes"), (5.0, 1.0, 0.0), strict=True):
            fields[f"{name}_per_s"] = column.number_input(
                f"{name.capitalize()} per second", 0.0, 1_000.0, value, key=f"mutations-{name}"
            )
        left, right = st.columns(2)
        with left:
            widgets.button(
                "Start changes",
                Action(
                    _USERS,
                    "Starting changes",
                    lambda: backend.control.start_mutations({**fields, "duration_s": 600}),
                    lambda _: "Users change for the next 10 minutes.",
                ),
                icon=":material/sync:",
                disabled=running,
            )
        with right:
            widgets.button(
                "Stop changes",
                Action(_USERS, "Stopping changes", backend.control.stop_mutations, lambda _: "Users no longer change."),
                icon=":material/sync_disabled:",
            )


def _job_words(answer: Mapping[str, Any]) -> str:
    job = answer.get("job") or answer
    return f"Seeding {plural(job.get('total') or 0, 'user')}: {job.get('state', 'accepted')}."
