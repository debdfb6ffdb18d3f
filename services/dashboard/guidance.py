"""The next step for each state of the system, and the flow as a strip.

The first thing that is missing decides: pipeline, users, load, data. Once all is running the guidance collapses; it can be expanded again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Any, Final, Literal

import streamlit as st

from services.dashboard import trends, widgets
from services.dashboard.actions import Action
from services.dashboard.backend import Backend
from services.dashboard.errors import TableMissing
from services.dashboard.format import duration, number, plain, plural
from services.dashboard.view_state import ViewState

PLACE: Final = "guidance"
#: users of the first run
_USERS: Final = 1_000

State = Literal["good", "warn", "bad", "idle"]
#: state -> sign, words: never by colour alone
_SIGNS: Final[dict[State, tuple[str, str]]] = {
    "good": ("●", "running"),
    "warn": ("▲", "needs attention"),
    "bad": ("■", "unavailable"),
    "idle": ("○", "not yet"),
}
_SENTENCE: Final = (
    "PagePulse generates page views and logins of simulated users, joins them with a table of users, counts them in time windows as they "
    "arrive, and shows the counts here within seconds."
)


@dataclass(frozen=True, slots=True)
class Step:
    """What is missing and what to do. ``name`` identifies it; "running" when nothing is missing. ``button``: the one offered."""

    name: Literal["unavailable", "apply", "applying", "seed", "start", "resume", "wait", "running"]
    what: str
    action: str
    button: str = ""

    @property
    def sentence(self) -> str:
        """What is missing and what to do where the button is."""
        return f"{self.what} Press **{self.button}**." if self.button else f"{self.what} {self.action}"


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the strip."""

    name: str
    state: State
    figure: str


_APPLYING: Final = Step("applying", "The pipeline is being changed.", "Its progress is on the page **Pipeline**.")
_APPLY: Final = Step("apply", "The pipeline is not set up yet.", "Open **Pipeline** and press **Apply**.", "Apply")
_SEED: Final = Step(
    "seed", "There are no users.", "Open **Controls** and press **Seed users**.", f"Seed {_USERS:,} users"
)
_RESUME: Final = Step("resume", "The generator is paused.", "Press **Resume** in the sidebar.")
_START: Final = Step("start", "No load is generated.", "Press **Start** in the sidebar to generate page views.")
_WAIT: Final = Step("wait", "The generator runs.", "The first windows arrive within seconds.")
_RUNNING: Final = Step(
    "running", "Everything is running.", "Change the rate in the sidebar and watch the charts follow."
)


def next_step(backend: Backend, *, rows: bool = True) -> Step:
    """The first thing that is missing. ``rows``: whether there are rows to show."""
    generator, seeder, pipeline = backend.generator(), backend.seeder(), backend.pipeline()
    for result, name in ((pipeline, "provisioner"), (seeder, "seeder"), (generator, "generator")):
        if result.error is not None:
            detail = plain(result.error.detail)
            return Step("unavailable", f"The {name} is unavailable: {detail}", "See `pagepulse status`, and its log.")
    state = (pipeline.value or {}).get("state")
    load = (generator.value or {}).get("state")
    missing = (
        (state == "changing", _APPLYING),
        (state == "absent", _APPLY),
        (not (seeder.value or {}).get("users"), _SEED),
        (load == "paused", _RESUME),
        (load != "running", _START),
        (not rows, _WAIT),
    )
    return next((step for holds, step in missing if holds), _RUNNING)


def advice(backend: Backend) -> str:
    """The next thing to do so that data flows, in a sentence or two."""
    step = next_step(backend, rows=False)
    return step.action if step.name in ("apply", "start") else f"{step.what} {step.action}"


def parts(backend: Backend) -> list[Part]:
    """The strip: each part of the system with its state and one figure."""
    generator, seeder, pipeline, newest = backend.generator(), backend.seeder(), backend.pipeline(), backend.newest()
    load: Mapping[str, Any] = {} if generator.error else generator.value or {}
    running = load.get("state") == "running"
    users = int((seeder.value or {}).get("users") or 0)
    resources = [] if pipeline.stale else (pipeline.value or {}).get("resources") or []
    rate = (load.get("achieved_rate") or {}).get("last_10s") if running else None
    age = trends.event_age(newest) if running else None
    lag = sum(trends.lags({"resources": resources}).values())
    return [
        Part("Users", _state(seeder.error, bool(users)), "unknown" if seeder.error else plural(users, "user")),
        Part(
            "Load",
            _state(generator.error, running),
            f"{number(rate)} events/s" if running else str(load.get("state", "unknown")),
        ),
        _group("Kafka topics", resources, ("topic",), pipeline.error),
        _group("Queries", resources, ("query",), pipeline.error, f"lag {number(lag)}"),
        _group("Pinot tables", resources, ("pinot_table",), pipeline.error),
        Part(
            "Dashboard",
            # without a table there is nothing to show yet: Pinot answers
            _state(None if isinstance(newest.error, TableMissing) else newest.error, running and age is not None),
            f"{duration(age)} behind" if age is not None else "–",
        ),
    ]


def strip(found: list[Part]) -> str:
    """The strip as HTML; every text is escaped."""
    items = "".join(
        f'<li class="strip-{part.state}"><span class="strip-sign" role="img" aria-label="{_SIGNS[part.state][1]}">'
        f"{_SIGNS[part.state][0]}</span> <b>{escape(part.name)}</b> <small>{escape(part.figure)}</small></li>"
        for part in found
    )
    return f'<ol class="strip" aria-label="The flow of an event">{items}</ol>'


def draw(backend: Backend, view: ViewState, *, rows: bool) -> None:
    """Draws the guidance: open while something is missing, folded once all is running."""
    step = next_step(backend, rows=rows)
    if step.name == "running":
        with st.expander("About this page", icon=":material/help:"):
            st.markdown(f"{_SENTENCE} {step.action}")
            st.html(strip(parts(backend)))
        return
    with st.container(border=True, key="guidance"):
        st.markdown(f"{_SENTENCE}")
        st.html(strip(parts(backend)))
        st.markdown(f":material/arrow_forward: **Next:** {step.sentence}")
        _button(backend, step)
        widgets.settle(backend, PLACE, view)


def _button(backend: Backend, step: Step) -> None:
    """What the step names can be done right here."""
    api = backend.control
    if step.name == "apply":
        action = Action(PLACE, "Asking the provisioner to apply", api.apply, lambda _: "Apply has begun.")
        widgets.button(step.button, action, icon=":material/build:", kind="primary", wide=False)
    elif step.name == "seed":
        options = {"count": _USERS, "seed": 42, "null_fraction": 0.05, "mode": "append"}
        action = Action(PLACE, "Asking the seeder", lambda: api.seed(options), lambda _: f"Seeding {_USERS:,} users.")
        widgets.button(step.button, action, icon=":material/group_add:", kind="primary", wide=False)


def _state(error: object, good: bool) -> State:
    if error is not None:
        return "bad"
    return "good" if good else "idle"


def _group(
    name: str, resources: list[Mapping[str, Any]], kinds: tuple[str, ...], error: object, extra: str = ""
) -> Part:
    group = [resource for resource in resources if resource.get("kind") in kinds]
    healthy = sum(resource.get("state") == "ok" for resource in group)
    if error is not None:
        return Part(name, "bad", "unknown")
    if not healthy:
        return Part(name, "idle", "none yet")
    figure = f"{healthy} of {len(group)} healthy" if healthy < len(group) else plural(len(group), "healthy", "healthy")
    return Part(name, "good" if healthy == len(group) else "warn", f"{figure}, {extra}" if extra else figure)
