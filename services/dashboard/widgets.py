"""Buttons and sliders that act. They draw themselves disabled while an action is under way, then run it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal

import streamlit as st

from services.dashboard import audits, runs
from services.dashboard.actions import Action, ActionQueue, Outcome, queue_of
from services.dashboard.backend import Backend
from services.dashboard.format import clock, number, plain
from services.dashboard.rate import control
from services.dashboard.view_state import ViewState

DEFAULT_RATE: Final = 200.0
#: of the session: the rate that was chosen last
_RATE_KEY: Final = "rate"

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
    wide: bool = True,
) -> None:
    """A button that performs ``action`` once per click."""
    queue = queue_of(st.session_state)
    queue.renew(action)
    ticket = queue.ticket(action.place)
    st.button(
        label,
        key=f"act-{action.place}-{label}-{ticket}",
        icon=icon,
        type=kind,
        disabled=disabled or queue.busy,
        help=about,
        width="stretch" if wide else "content",
        on_click=_submit,
        args=(queue, ticket, action),
    )


def settle(
    backend: Backend, place: str, view: ViewState, scope: Literal["fragment", "app"] = "fragment"
) -> Outcome | None:
    """Comes last in a fragment: runs the queued action, redraws the app, so that no place shows an older state, and says the outcome.

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
            st.rerun(scope="app")
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
    api = backend.control
    if state == "running":
        left, right = st.columns(2)
        with left:
            button("Stop", Action(place, "Stopping", api.stop, stopped), icon=":material/stop:", kind="primary")
        with right:
            button(
                "Pause",
                Action(place, "Pausing", api.pause, lambda _: "Paused: nothing new is generated."),
                icon=":material/pause:",
            )
    elif state == "paused":
        left, right = st.columns(2)
        with left:
            button(
                "Resume",
                Action(place, "Resuming", api.resume, lambda _: "Running again."),
                icon=":material/play_arrow:",
                kind="primary",
            )
        with right:
            button("Stop", Action(place, "Stopping", api.stop, stopped), icon=":material/stop:")
    else:
        button(
            "Start",
            Action(place, "Starting", lambda: api.start(options), started),
            icon=":material/play_arrow:",
            kind="primary",
            disabled=state == "stopping",
        )


def rate(backend: Backend, status: Mapping[str, Any], place: str) -> float:
    """Draws the rate's field and slider; returns the rate in force. A change acts at once if the generator runs."""
    value = rate_of(status)
    busy = queue_of(st.session_state).busy

    def changed(chosen: float) -> None:
        change_rate(backend, status, place, chosen)

    if control.draw(value, key=f"{place}-rate", disabled=busy, on_change=changed) and not busy and _in_fragment():
        st.rerun(scope="app")  # the other place shows it too
    return value


def rate_of(status: Mapping[str, Any]) -> float:
    """The one rate that every place shows: the generator's while it runs at a steady one, else the one chosen for the next start.

    A profile moves the generator's rate by itself: then the chosen one is shown, not where the profile is now.
    """
    chosen = float(st.session_state.get(_RATE_KEY, DEFAULT_RATE))
    steady = (status.get("profile") or {}).get("kind", "constant") in ("constant", "poisson")
    running = status.get("state") in ("running", "paused") and status.get("target_rate") is not None
    if queue_of(st.session_state).busy or not (running and steady):
        return chosen
    st.session_state[_RATE_KEY] = float(status["target_rate"])
    return float(status["target_rate"])


def change_rate(backend: Backend, status: Mapping[str, Any], place: str, chosen: float) -> None:
    """Keeps the chosen rate, and queues the change if the generator runs."""
    st.session_state[_RATE_KEY] = chosen
    if status.get("state") in ("running", "paused"):
        queue = queue_of(st.session_state)
        words = rate_words(chosen)
        action = Action(
            place, f"Changing to {words}", lambda: backend.control.set_rate(chosen), lambda _: f"Rate is {words}."
        )
        queue.submit(queue.ticket(place), action)


def rate_words(value: float) -> str:
    """The rate in words: 0 is full speed."""
    return f"{number(value)} events/s" if value else "full speed"


def started(status: Mapping[str, Any]) -> str:
    return f"Started at {rate_words(float(status.get('target_rate') or 0))}."


def stopped(status: Mapping[str, Any]) -> str:
    failed = sum((status.get("failed") or {}).values())
    words = f"Stopped: {number(status.get('acknowledged'))} events acknowledged"
    return f"{words}, {number(failed)} failed." if failed else f"{words}."


def _submit(queue: ActionQueue, ticket: int, action: Action) -> None:
    queue.submit(ticket, action)


def _in_fragment() -> bool:
    from streamlit.runtime.scriptrunner import get_script_run_ctx  # noqa: PLC0415

    context = get_script_run_ctx()
    return bool(context and context.fragment_ids_this_run)
