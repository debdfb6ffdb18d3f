"""The pipeline as a diagram: stages from left to right (on a phone from top to bottom), each part with its state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from html import escape
from pathlib import Path
from typing import Any, Final

from services.dashboard.format import number
from shared import topics

_STYLE: Final = Path(__file__).parent / "flow.css"

#: state of a resource -> (class of its colour, its sign, words)
STATES: Final = {
    "ok": ("good", "●", "right"),
    "running": ("good", "●", "running"),
    "drifted": ("warn", "▲", "differs from its definition"),
    "missing": ("idle", "○", "missing"),
    "failed": ("bad", "■", "failed"),
    "paused": ("warn", "▲", "paused"),
    "stopped": ("idle", "○", "stopped"),
}
_UNKNOWN: Final = ("idle", "?", "unknown")
_SOURCE_TOPICS: Final = (topics.PAGE_VIEW, topics.USER_SESSION, topics.USERS)


@dataclass(frozen=True, slots=True)
class Node:
    """One part: ``figure`` is its rate, lag or count in words; ``detail`` what is wrong with it."""

    name: str
    state: str
    figure: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Stage:
    title: str
    nodes: tuple[Node, ...]


def stages(
    pipeline: Mapping[str, Any], generator: Mapping[str, Any] | None, seeder: Mapping[str, Any] | None
) -> list[Stage]:
    """The stages from what the services say of themselves; a service that is away is unknown."""
    resources = rated(pipeline)["resources"]
    by_kind: dict[str, list[Mapping[str, Any]]] = {}
    for resource in resources:
        by_kind.setdefault(str(resource.get("kind")), []).append(resource)
    in_topics = [r for r in by_kind.get("topic", []) if r.get("name") in _SOURCE_TOPICS]
    out_topics = [r for r in by_kind.get("topic", []) if r.get("name") not in _SOURCE_TOPICS]
    queries = by_kind.get("query", []) or by_kind.get("table", [])
    found = [
        Stage("Sources", (_generator(generator), _seeder(seeder), *map(_node, by_kind.get("connector", [])))),
        Stage("Source topics", tuple(map(_node, in_topics))),
        Stage("Queries", tuple(map(_node, queries))),
        Stage("Result topics", tuple(map(_node, out_topics))),
        Stage("Pinot tables", tuple(map(_node, sorted(by_kind.get("pinot_table", []), key=_topic)))),
    ]
    return [stage for stage in found if stage.nodes]


def html(found: Sequence[Stage]) -> str:
    """The diagram as HTML; every text is escaped."""
    arrow = '<div class="flow-arrow" aria-hidden="true">→</div>'
    return f'<div class="flow">{arrow.join(_stage(stage) for stage in found)}</div><style>{style()}</style>'


@cache
def style() -> str:
    return _STYLE.read_text()


def figure(resource: Mapping[str, Any]) -> str:
    """What is worth a number on a part, in few words: rate, lag, records that were dropped."""
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
    """The same parts while the provisioner is away: nobody knows how they are now."""
    now = {"state": "unknown", "detail": "The provisioner cannot be reached."}
    parts = pipeline.get("resources") or []
    return {**pipeline, "resources": [{**r, **now, "facts": {"topic": _fact(r, "topic")}} for r in parts]}


def _topic(table: Mapping[str, Any]) -> str:
    """Tables are in the order of their topics, so that the eye finds one beside the other."""
    return str(_fact(table, "topic") or "")


def _fact(resource: Mapping[str, Any], name: str) -> Any:
    return (resource.get("facts") or {}).get(name)


def _stage(stage: Stage) -> str:
    nodes = "".join(_card(node) for node in stage.nodes)
    return f'<section class="flow-stage"><h5>{escape(stage.title)}</h5>{nodes}</section>'


def _card(node: Node) -> str:
    colour, sign, words = STATES.get(node.state, _UNKNOWN)
    title = escape(f"{node.name}: {words}. {node.detail}", quote=True)
    figure_text = f"<small>{escape(node.figure)}</small>" if node.figure else ""
    return (
        f'<div class="flow-node flow-{colour}" title="{title}"><span class="flow-sign" role="img" '
        f'aria-label="{escape(words)}">{sign}</span><span class="flow-name">{_breakable(node.name)}</span>{figure_text}</div>'
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
    )


def _generator(status: Mapping[str, Any] | None) -> Node:
    if status is None:
        return Node("generator", "unknown", detail="It cannot be reached.")
    rate = (status.get("achieved_rate") or {}).get("last_10s")
    state = str(status.get("state", "unknown"))
    return Node("generator", state, f"{number(rate)}/s" if state == "running" else state)


def _seeder(status: Mapping[str, Any] | None) -> Node:
    if status is None:
        return Node("users (MariaDB)", "unknown", detail="The seeder cannot be reached.")
    users = status.get("users") or 0
    return Node("users (MariaDB)", "ok" if users else "missing", f"{number(users)} users")
