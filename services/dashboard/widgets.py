"""Buttons and sliders that act. They draw themselves disabled while an action is under way, then run it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal

import streamlit as st

from services.dashboard import audits, runs
from services.dashboard.actions import Action, ActionQueue, Outcome, queue_of
from services.dashboard.backend import Backend
from services.dashboard.format import clock, number, plain
from services.dashboard.view_state import ViewState

#: events/s that can be chosen by sliding; any other rate can be typed on the page Controls
RATES: Final = (1, 5, 10, 25, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000)
DEFAULT_RATE: Final = 200.0

Call = Callable[[], Mapping[str, Any]]
Words = Callable[[Mapping[str, Any]], str]


def button(
    label: str,
    action: Action,
    *,
    icon: str | None = None,
    kind: Literal["primary", "secondary", "tertiary"] = "secondary",
    disabled: bool = False,
    about: str | None = None,
) -> None:
    """A button that performs ``action`` once per click."""
    queue = queue_of(st.session_state)
    queue.renew(action)
    ticket = queue.ticket(action.place)
    st.button(
        label,
        key=f"{action.place}-{label}-{ticket}",
        icon=icon,
        type=kind,
        disabled=disabled or queue.busy,
        help=about,
        width="stretch",
        on_click=_submit,
        args=(queue, ticket, action),
    )


def settle(
    backend: Backend, place: str, view: ViewState, scope: Literal["fragment", "app"] = "fragment"
) -> Outcome | None:
    """Comes last in a fragment: runs the queued action, redraws the fragment (or the app), tells the outcome.

    Returns the last outcome at this place.
    """
    queue = queue_of(st.session_state)
    if queue.busy:
        with st.spinner(f"{queue.doing}…"):
            done = queue.settle()
        if done is not None:
            backend.acted()
            runs.follow(done.answer)
            audits.follow(done.answer)
            st.rerun(scope=scope if _in_fragment() else "app")
    outcome = queue.outcomes.get(place)
    if outcome is None:
        return None
    at = clock(outcome.at, view.zone)
    if outcome.ok:
        st.success(f"{outcome.text} :small[{at}]", icon=":material/check:")
    else:
        st.error(f"{plain(outcome.text)} :small[{at}]", icon=":material/block:")
    return outcome


def generator_buttons(backend: Backend, state: str, options: Mapping[str, Any], place: str) -> None:
    """Start, or stop and pause, as the state of the generator allows."""
    control = backend.control
    if state == "running":
        left, right = st.columns(2)
        with left:
            button("Stop", Action(place, "Stopping", control.stop, stopped), icon=":material/stop:", kind="primary")
        with right:
            button(
                "Pause",
                Action(place, "Pausing", control.pause, lambda _: "Paused: nothing new is generated."),
                icon=":material/pause:",
            )
    elif state == "paused":
        left, right = st.columns(2)
        with left:
            button(
                "Resume",
                Action(place, "Resuming", control.resume, lambda _: "Running again."),
                icon=":material/play_arrow:",
                kind="primary",
            )
        with right:
            button("Stop", Action(place, "Stopping", control.stop, stopped), icon=":material/stop:")
    else:
        button(
            "Start",
            Action(place, "Starting", lambda: control.start(options), started),
            icon=":material/play_arrow:",
            kind="primary",
            disabled=state == "stopping",
        )


def rate_slider(backend: Backend, status: Mapping[str, Any], place: str) -> float:
    """Acts when the dragging ends, if the generator runs; returns the rate that is chosen."""
    queue = queue_of(st.session_state)
    steady = (status.get("profile") or {}).get("kind", "constant") in ("constant", "poisson", "bursts")
    running = status.get("state") in ("running", "paused")
    # a profile moves the target by itself: the slider shows what was chosen, not where the profile is now
    target = float(status["target_rate"]) if running and steady and status.get("target_rate") else None
    chosen = f"{place}-rate-chosen"
    if target is not None:
        st.session_state[chosen] = target
    known = float(st.session_state.get(chosen, DEFAULT_RATE))
    # A slider of its own for each target: it begins there, so one whose state is lost falls back to what is true
    # and asks for nothing. Without a value Streamlit would fall back to the first option, and set that rate.
    key = f"{place}-rate-{target}"
    return float(
        st.select_slider(
            "Rate",
            sorted({*map(float, RATES), known}),
            value=known,
            key=key,
            format_func=lambda rate: f"{number(rate)}/s",
            disabled=queue.busy,
            on_change=_rate_changed,
            args=(backend, key, place, target),
            help="Events per second, page views and sessions together. While it runs, a change acts at once.",
        )
    )


def started(status: Mapping[str, Any]) -> str:
    target = status.get("target_rate")
    return f"Started at {number(target)} events/s." if target else "Started at full speed."


def stopped(status: Mapping[str, Any]) -> str:
    failed = sum((status.get("failed") or {}).values())
    words = f"Stopped: {number(status.get('acknowledged'))} events acknowledged"
    return f"{words}, {number(failed)} failed." if failed else f"{words}."


def _rate_changed(backend: Backend, key: str, place: str, target: float | None) -> None:
    rate = float(st.session_state[key])
    if target is None:
        st.session_state[f"{place}-rate-chosen"] = rate  # nothing runs at a steady rate: it counts at the next start
        return
    if rate == target:
        return
    queue = queue_of(st.session_state)
    action = Action(
        place, f"Changing to {number(rate)}/s", lambda: backend.control.set_rate(rate), lambda _: _rate_words(rate)
    )
    queue.submit(queue.ticket(place), action)


def _rate_words(rate: float) -> str:
    return f"Rate is {number(rate)} events/s."


def _submit(queue: ActionQueue, ticket: int, action: Action) -> None:
    queue.submit(ticket, action)


def _in_fragment() -> bool:
    from streamlit.runtime.scriptrunner import get_script_run_ctx  # noqa: PLC0415

    context = get_script_run_ctx()
    return bool(context and context.fragment_ids_this_run)
