"""The pipeline as a diagram: stages from left to right (on a phone from top to bottom), each part with its state."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any, Final

import streamlit as st

from services.dashboard.format import number
from shared import topics

_mount: Final = st.components.v2.component(
    "pagepulse_flow",
    html='<div class="flow-root"></div>',
    css=(Path(__file__).parent / "flow.css").read_text(),
    js="""export default function ({ data, parentElement }) {
      const root = parentElement.querySelector(".flow-root");
      if (root.shown !== data.html) root.innerHTML = root.shown = data.html;
    }""",
    isolate_styles=False,
)

#: state of a resource -> (class of its colour, its sign, words)
STATES: Final = {
    "ok": ("good", "●", "healthy"),
    "running": ("good", "●", "running"),
    "drifted": ("warn", "▲", "drifted from its definition"),
    "missing": ("idle", "○", "missing"),
    "failed": ("bad", "■", "failed"),
    "paused": ("warn", "▲", "paused"),
    "stopped": ("idle", "○", "stopped"),
}
_UNKNOWN: Final = ("idle", "?", "unknown")
_USERS_TABLE: Final = "users (MariaDB)"
_GENERATED: Final = (topics.PAGE_VIEW, topics.USER_SESSION)
#: px: the title above a column of cards, and a card with the space below it, as in flow.css
_HEAD_PX: Final = 26
_ROW_PX: Final = 84
_SOURCE_TOPICS: Final = (topics.PAGE_VIEW, topics.USER_SESSION, topics.USERS)


@dataclass(frozen=True, slots=True)
class Node:
    """One part: ``figure`` is its rate, lag or count in words; ``detail`` what is wrong with it."""

    name: str
    state: str
    figure: str = ""
    detail: str = ""
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Stage:
    title: str
    nodes: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Edge:
    """From a node of one stage to a node of the next, by their indices; ``state`` is the one of the query, table or source at its end."""

    start: int
    end: int
    state: str


def stages(
    pipeline: Mapping[str, Any],
    generator: Mapping[str, Any] | None,
    seeder: Mapping[str, Any] | None,
    collector: Mapping[str, Any] | None,
) -> list[Stage]:
    """The stages from the status of each service; a service that is unavailable is unknown."""
    resources = rated(pipeline)["resources"]
    by_kind: dict[str, list[Mapping[str, Any]]] = {}
    for resource in resources:
        by_kind.setdefault(str(resource.get("kind")), []).append(resource)
    in_topics = [r for r in by_kind.get("topic", []) if r.get("name") in _SOURCE_TOPICS]
    out_topics = [r for r in by_kind.get("topic", []) if r.get("name") not in _SOURCE_TOPICS]
    queries = by_kind.get("query", []) or by_kind.get("table", [])
    found = [
        Stage(
            "Sources",
            (_generator(generator), _collector(collector), _seeder(seeder), *map(_node, by_kind.get("connector", []))),
        ),
        Stage("Source topics", tuple(map(_node, in_topics))),
        Stage("Queries", tuple(map(_node, queries))),
        Stage("Result topics", tuple(map(_node, out_topics))),
        Stage("Pinot tables", tuple(map(_node, sorted(by_kind.get("pinot_table", []), key=_topic)))),
    ]
    return [stage for stage in found if stage.nodes]


def edges(left: Stage, right: Stage) -> list[Edge]:
    """What of ``left`` is written to, or read by, what of ``right``."""
    return [
        Edge(i, j, right_node.state if left_node.name in right_node.reads else left_node.state)
        for i, left_node in enumerate(left.nodes)
        for j, right_node in enumerate(right.nodes)
        if left_node.name in right_node.reads or right_node.name in left_node.writes
    ]


def backward(left: Stage, right: Stage) -> list[Edge]:
    """What of ``right`` is read by what of ``left``: a query of another query's results. ``start`` is in ``right``."""
    return [
        Edge(i, j, reader.state)
        for i, node in enumerate(right.nodes)
        for j, reader in enumerate(left.nodes)
        if node.name in reader.reads
    ]


def html(found: Sequence[Stage]) -> str:
    """The diagram as HTML; every text is escaped. Where a query reads what has no line to it, its card says so; on a phone,
    where there are no lines, also what comes from the next stage."""
    columns = []
    for number_of, stage in enumerate(found):
        before = {node.name for node in found[number_of - 1].nodes} if number_of else set()
        after = {node.name for node in found[number_of + 1].nodes} if number_of + 1 < len(found) else set()
        columns.append(_stage(stage, before, after))
        if number_of + 1 < len(found):
            columns.append(_arrows(stage, found[number_of + 1]))
    return f'<div class="flow">{"".join(columns)}</div>'


def _arrows(left: Stage, right: Stage) -> str:
    """The lines between two stages. Cards have one height, so a line's ends are known by their index."""
    height = _HEAD_PX + _ROW_PX * max(len(left.nodes), len(right.nodes))
    lines = []
    for edge in edges(left, right):
        y1, y2 = (_HEAD_PX + _ROW_PX * at + _ROW_PX // 2 - 3 for at in (edge.start, edge.end))
        colour = STATES.get(edge.state, _UNKNOWN)[0]
        lines.append(
            f'<path class="flow-{colour}" d="M0 {y1} C14 {y1} 14 {y2} 26 {y2}"/>'
            f'<path class="flow-{colour} flow-head" d="M25 {y2 - 4} L32 {y2} L25 {y2 + 4} Z"/>'
        )
    for edge in backward(left, right):
        # below the line forward, and into the upper part of the card
        y1, y2 = _HEAD_PX + _ROW_PX * edge.start + _ROW_PX // 2 + 10, _HEAD_PX + _ROW_PX * edge.end + _ROW_PX // 2 - 18
        colour = STATES.get(edge.state, _UNKNOWN)[0]
        lines.append(
            f'<path class="flow-{colour} flow-back" d="M32 {y1} C18 {y1} 18 {y2} 6 {y2}"/>'
            f'<path class="flow-{colour} flow-head" d="M7 {y2 - 4} L0 {y2} L7 {y2 + 4} Z"/>'
        )
    return (
        f'<svg class="flow-arrows" viewBox="0 0 32 {height}" width="32" height="{height}" aria-hidden="true">'
        f'{"".join(lines)}</svg><div class="flow-down" aria-hidden="true">↓</div>'
    )


def draw(found: Sequence[Stage]) -> None:
    """Draws the diagram. A component of its own, because st.html takes no drawings."""
    _mount(key="flow", data={"html": html(found)})


def figure(resource: Mapping[str, Any]) -> str:
    """The figure of a part: rate, lag, records that were dropped."""
    facts = resource.get("facts") or {}
    parts = []
    if facts.get("rate_per_s") is not None:
        parts.append(f"{number(facts['rate_per_s'])}/s")
    lag = facts.get("lag", facts.get("offset_lag"))
    if lag is not None:
        parts.append(f"lag {number(lag)}")
    if facts.get("dropped"):
        parts.append(f"{number(facts['dropped'])} dropped")
    return " · ".join(parts)


def rated(pipeline: Mapping[str, Any]) -> dict[str, Any]:
    """The status with a rate on those parts that are known by others: the connector writes one topic alone, and what enters
    a result topic is what its query has written."""
    resources = pipeline.get("resources") or []
    entering = {r["name"]: _fact(r, "rate_per_s") for r in resources if r.get("kind") == "topic"}
    written = {_fact(r, "topic"): _fact(r, "written_per_s") for r in resources if r.get("kind") == "query"}

    def rate(resource: Mapping[str, Any]) -> Any:
        if resource.get("kind") == "connector":
            return entering.get(topics.USERS)
        if resource.get("kind") == "topic" and resource["name"] in written:
            return written[resource["name"]]
        return _fact(resource, "rate_per_s")

    return {
        **pipeline,
        "resources": [{**r, "facts": {**(r.get("facts") or {}), "rate_per_s": rate(r)}} for r in resources],
    }


def unheard(pipeline: Mapping[str, Any]) -> dict[str, Any]:
    """The same parts while the provisioner is unavailable: their state is unknown."""
    now = {"state": "unknown", "detail": "The provisioner is unavailable."}
    parts = pipeline.get("resources") or []
    return {
        **pipeline,
        "resources": [{**r, **now, "facts": {"topic": _fact(r, "topic"), "reads": _fact(r, "reads")}} for r in parts],
    }


def _topic(table: Mapping[str, Any]) -> list[str | int]:
    """Tables are in the order of their topics (topic10 after topic9), so that the eye finds one beside the other."""
    parts = re.split(r"(\d+)", str(_fact(table, "topic") or ""))
    return [int(part) if part.isdecimal() else part for part in parts]


def _fact(resource: Mapping[str, Any], name: str) -> Any:
    return (resource.get("facts") or {}).get(name)


def _stage(stage: Stage, before: set[str], after: set[str]) -> str:
    nodes = "".join(_card(node, before, after) for node in stage.nodes)
    return f'<section class="flow-stage"><h3>{escape(stage.title)}</h3>{nodes}</section>'


def _card(node: Node, before: set[str], after: set[str]) -> str:
    colour, sign, words = STATES.get(node.state, _UNKNOWN)
    title = escape(f"{node.name}: {words}. {node.detail}", quote=True)
    elsewhere = [name for name in node.reads if name not in before]
    lined = ' class="flow-lined"' if after.issuperset(elsewhere) else ""
    reads = f"<small{lined}>reads {', '.join(map(_breakable, elsewhere))}</small>" if elsewhere else ""
    figure_text = f"<small>{escape(node.figure)}</small>" if node.figure else ""
    return (
        f'<div class="flow-node flow-{colour}" title="{title}"><span class="flow-sign" role="img" '
        f'aria-label="{escape(words)}">{sign}</span><span class="flow-name">{_breakable(node.name)}</span>{reads}{figure_text}</div>'
    )


def _breakable(name: str) -> str:
    """A long name may break after an underscore, not within a word."""
    return escape(name).replace("_", "_<wbr>")


def _node(resource: Mapping[str, Any]) -> Node:
    return Node(
        str(resource.get("name")),
        str(resource.get("state", "unknown")),
        figure(resource),
        str(resource.get("detail") or ""),
        *_ends(resource),
    )


def _ends(resource: Mapping[str, Any]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The topics that a resource reads and writes."""
    topic = str(_fact(resource, "topic") or "")
    match resource.get("kind"):
        case "query":
            return tuple(_fact(resource, "reads") or ()), (topic,)
        case "pinot_table":
            return (topic,) if topic else (), ()
        case "connector":
            return (_USERS_TABLE,), (topics.USERS,)
        case _:
            return (), ()


def _generator(status: Mapping[str, Any] | None) -> Node:
    if status is None:
        return Node("generator", "unknown", detail="It is unavailable.", writes=_GENERATED)
    rate = (status.get("achieved_rate") or {}).get("last_10s")
    state = str(status.get("state", "unknown"))
    return Node("generator", state, f"{number(rate)}/s" if state == "running" else state, writes=_GENERATED)


def _collector(status: Mapping[str, Any] | None) -> Node:
    """Real visitors: how many of their events were accepted, and how many rejected and why, since its start."""
    if status is None:
        return Node("collector", "unknown", detail="It is unavailable.", writes=_GENERATED)
    accepted, rejected = int(status.get("accepted") or 0), status.get("rejected") or {}
    figure_text = f"{number(accepted)} accepted" if accepted or rejected else "no visitors yet"
    reasons = ""
    if rejected:
        figure_text += f" · {number(sum(rejected.values()))} rejected"
        reasons = "Rejected because of " + ", ".join(f"{field}: {number(count)}" for field, count in rejected.items())
    error = status.get("last_error")
    return Node("collector", "failed" if error else "ok", figure_text, str(error or reasons), writes=_GENERATED)


def _seeder(status: Mapping[str, Any] | None) -> Node:
    if status is None:
        return Node(_USERS_TABLE, "unknown", detail="The seeder is unavailable.")
    users = status.get("users") or 0
    return Node(_USERS_TABLE, "ok" if users else "missing", f"{number(users)} users")
