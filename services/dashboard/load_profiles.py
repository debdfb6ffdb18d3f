"""The generator's load profiles: fields to fill in, made from their JSON schema, and a preview of the shape."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Final

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from services.dashboard import palette
from services.dashboard.charts.base import ChartTheme, figure

#: a recording is replayed with the generator's API: it needs a file on its machine
HIDDEN: Final = frozenset({"replay"})
_POINTS: Final = 240

Shape = Callable[[float, float, Mapping[str, float]], float]


def _ramp(t: float, rate: float, p: Mapping[str, float]) -> float:
    return rate + (p["to_rate"] - rate) * min(t / p["over_s"], 1.0)


def _step(t: float, rate: float, p: Mapping[str, float]) -> float:
    return max(0.0, rate + p["by"] * min(int(t / p["every_s"]), p["steps"]))


def _sine(t: float, rate: float, p: Mapping[str, float]) -> float:
    return rate * (1.0 - p["amplitude"] * math.cos(2 * math.pi * t / p["period_s"]))


def _spike(t: float, rate: float, p: Mapping[str, float]) -> float:
    since = t - p["after_s"]
    if since >= 0 and p.get("every_s"):
        since %= p["every_s"]
    return rate * p["factor"] if 0 <= since < p["for_s"] else rate


_SHAPES: Final[dict[str, Shape]] = {"ramp": _ramp, "step": _step, "sine": _sine, "spike": _spike}


def horizon(profile: Mapping[str, Any]) -> float:
    """Seconds after which the shape has been seen."""
    kind = profile["kind"]
    if kind == "ramp":
        return float(profile["over_s"]) * 1.25
    if kind == "step":
        return float(profile["every_s"]) * (int(profile["steps"]) + 1)
    if kind == "sine":
        return float(profile["period_s"]) * 2
    if kind == "spike":
        return float(profile["after_s"]) + max(float(profile["for_s"]) * 3, 2 * float(profile.get("every_s") or 0))
    return 60.0


def shape(profile: Mapping[str, Any], rate: float) -> pd.DataFrame:
    """seconds, rate: what the profile is going to do. A kind that is not known here is drawn flat."""
    of_kind = _SHAPES.get(str(profile["kind"]))
    end = horizon(profile)
    seconds = [end * i / (_POINTS - 1) for i in range(_POINTS)]
    rates = [of_kind(t, rate, profile) if of_kind else rate for t in seconds]
    return pd.DataFrame({"seconds": seconds, "rate": rates})


def preview(profile: Mapping[str, Any], rate: float, theme: ChartTheme) -> go.Figure:
    """A small picture of the shape."""
    rows = shape(profile, rate)
    fig = figure(theme, name=f"profile-{profile['kind']}", height=130, legend=False)
    fig.add_scatter(
        x=rows["seconds"],
        y=rows["rate"],
        mode="lines",
        fill="tozeroy",
        line={"color": palette.ACCENT, "width": 2},
        fillcolor="rgba(47, 116, 192, 0.15)",
        hovertemplate="%{y:,.0f}/s after %{x:.0f} s<extra></extra>",
    )
    fig.update_xaxes(ticksuffix=" s", nticks=6)
    fig.layout.xaxis.tickformatstops = ()  # those of times
    fig.update_yaxes(ticksuffix="/s", nticks=3)
    return fig


def choose(known: Mapping[str, Any], place: str) -> dict[str, Any]:
    """Draws the picker and the fields of the chosen profile; returns the profile as the generator wants it."""
    described = {str(p["kind"]): p for p in known.get("profiles") or [] if p.get("kind") not in HIDDEN}
    if not described:
        return {"kind": "constant"}
    kind = st.segmented_control(
        "Profile", list(described), default=next(iter(described)), required=True, key=f"{place}-profile"
    )
    chosen = described.get(str(kind)) or next(iter(described.values()))
    st.caption(str(chosen.get("summary", "")))
    fields = (chosen.get("parameters") or {}).get("properties") or {}
    fields = {name: field for name, field in fields.items() if name != "kind"}
    profile: dict[str, Any] = {"kind": str(chosen["kind"])}
    for column, (name, field) in zip(st.columns(max(1, len(fields))), fields.items(), strict=False):
        value = column.number_input(
            words(name),
            **limits(field),
            key=f"{place}-{chosen['kind']}-{name}",
            help=field.get("description"),
            placeholder="never" if nullable(field) else None,
        )
        if value is not None:
            profile[name] = value
    return profile


def words(name: str) -> str:
    """A field's name for people: "over_s" -> "Over, s"."""
    text = name.removesuffix("_s").replace("_", " ").capitalize()
    return f"{text}, s" if name.endswith("_s") else text


def nullable(field: Mapping[str, Any]) -> bool:
    return any(option.get("type") == "null" for option in field.get("anyOf") or ())


def limits(field: Mapping[str, Any]) -> dict[str, Any]:
    """min_value, max_value, value and step of a number input, from a field's JSON schema."""
    options = field.get("anyOf") or [field]
    number: Mapping[str, Any] = next((o for o in options if o.get("type") in ("number", "integer")), {})
    kind: type[int] | type[float] = int if number.get("type") == "integer" else float
    low = number.get("minimum", number.get("exclusiveMinimum"))
    if "exclusiveMinimum" in number and kind is float:
        low = float(number["exclusiveMinimum"]) + 0.1
    default = field.get("default", (field.get("examples") or [low or 0])[0])
    return {
        "min_value": None if low is None else kind(low),
        "max_value": None if number.get("maximum") is None else kind(number["maximum"]),
        "value": None if default is None else kind(default),
        "step": kind(1) if kind is int or (default or 1) >= 2 else 0.1,
    }
