"""The generator's load profiles: fields to fill in, made from their JSON schema, and a preview of the shape."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from services.dashboard import palette
from services.dashboard.charts.base import ChartTheme, figure

#: a recording is replayed with the generator's API: it needs a file on its machine
HIDDEN: Final = frozenset({"replay"})


def preview(answer: Mapping[str, Any], kind: str, theme: ChartTheme) -> go.Figure:
    """A small picture of the points that the generator answers for a profile."""
    rows = pd.DataFrame(answer.get("points") or [], columns=["seconds", "rate"])
    fig = figure(theme, name=f"profile-{kind}", height=130, legend=False)
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
