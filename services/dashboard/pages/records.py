"""The records of any topic: the newest, the oldest, or from a time or an offset on; filtered, and followed."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import pandas as pd
import streamlit as st

from services.dashboard import view_state
from services.dashboard.backend import get_backend
from services.dashboard.chart_card import stale_note
from services.dashboard.format import moment, plural
from services.dashboard.view_state import ViewState
from shared import topics

TOPICS: Final = (*topics.SOURCE_TOPICS, *topics.SINK_TOPICS, topics.REJECTED)
#: characters without a picture, and those that reorder a line: shown as JSON escapes
_UNSEEN: Final = re.compile("[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
_STARTS: Final = ("newest", "oldest", "time", "offset")
#: seconds between two looks while following
_FOLLOW_S: Final = 2.0


def render() -> None:
    query = _choose(view_state.current())
    st.fragment(_show, run_every=_FOLLOW_S if query.pop("follow") else None)(query)


def _choose(view: ViewState) -> dict[str, Any]:
    """The fields; the topic and where to begin are kept in the address."""
    with st.container(border=True):
        st.caption("The records of a Kafka topic as they are stored, keys and values decoded.")
        left, middle, right = st.columns([4, 4, 2])
        topic = left.selectbox("Topic", TOPICS, key="topic", bind="query-params")
        start = middle.segmented_control(
            "Begin at", _STARTS, default="newest", required=True, key="begin", bind="query-params", width="stretch"
        )
        limit = right.number_input("Records", 1, 200, 20, key="records-limit")
        query: dict[str, Any] = {"topic": topic, "start": start, "limit": limit}
        left, middle, right = st.columns([4, 4, 2])
        query["key"] = (
            left.text_input("Key", key="records-key", placeholder="exactly this key", max_chars=1_000) or None
        )
        contains = middle.text_input("Text", key="records-text", placeholder="in key or value", max_chars=1_000)
        query["contains"] = contains or None
        partition = right.number_input("Partition", 0, 100_000, None, key="records-partition", placeholder="all")
        query["partition"] = partition
        if start == "time":
            now = datetime.now(ZoneInfo(view.zone)).replace(tzinfo=None, second=0, microsecond=0)
            step = timedelta(minutes=1)
            chosen = st.datetime_input("From", now - timedelta(minutes=5), key="records-time", step=step)
            if chosen is not None:
                query["at"] = int(chosen.replace(tzinfo=ZoneInfo(view.zone)).timestamp() * 1000)
        elif start == "offset":
            query["at"] = st.number_input("Offset", 0, 2**53 - 1, 0, key="records-offset")
            if partition is None:
                query["partition"] = 0
                st.caption("Offsets count within a partition: partition 0 is shown until you choose another one.")
        follow = st.toggle(
            "Follow",
            key="follow",
            bind="query-params",
            disabled=start != "newest",
            help="Looks again every two seconds.",
        )
        query["follow"] = follow and start == "newest"
    return query


def _show(query: Mapping[str, Any]) -> None:
    backend, view = get_backend(), view_state.current()
    key = ("records", *sorted((name, value) for name, value in query.items() if value is not None))
    result = backend.cache.read(key, lambda: backend.control.records(**query))
    stale_note(result, view)
    if result.value is None:
        return
    found = list(result.value.get("records") or [])
    if query["start"] == "newest":
        found.reverse()
    partitions = result.value.get("partitions") or []
    total = sum(int(each["end"]) - int(each["begin"]) for each in partitions)
    bounds = "" if result.value.get("complete") else "; the search ended at its limit, so more records may match"
    st.caption(
        f"{plural(len(found), 'record')} of about {total:,} in {plural(len(partitions), 'partition')}, "
        f"{result.value.get('scanned', 0):,} searched{bounds}. Select a row to see the whole record below."
    )
    if not found:
        st.info(nothing(query.get("partition"), partitions), icon=":material/search_off:")
        return
    frame = table(found, view.zone)
    selected: Any = st.dataframe(
        frame,
        hide_index=True,
        width="stretch",
        key="records-table",
        on_select="rerun",
        selection_mode="single-row",
        alt=f"Records of {query['topic']}",
    )
    rows = selected.selection.rows
    st.download_button(
        "CSV", lambda: frame.to_csv(index=False).encode(), f"{query['topic']}.csv", "text/csv", on_click="ignore"
    )
    _detail(found[rows[0] if rows and rows[0] < len(found) else 0], view.zone)


def nothing(partition: int | None, partitions: list[Mapping[str, Any]]) -> str:
    """Why there is no record. A topic of few keys leaves partitions empty."""
    filled = [int(each["partition"]) for each in partitions if each["begin"] < each["end"]]
    if partition is None or partition in filled or not filled:
        return "No record matches."
    others = ", ".join(map(str, filled))
    return f"Partition {partition} has no records; partition{'s' * (len(filled) > 1)} {others} {'do' if len(filled) > 1 else 'does'}."


def table(found: list[Mapping[str, Any]], zone: str) -> pd.DataFrame:
    """The records as a table, in their order."""
    rows = [
        {
            "Time": moment(record["timestamp"], zone),
            "Partition": record["partition"],
            "Offset": record["offset"],
            "Key": _text(record["key"]),
            "Window": window(record, zone),
            "Value": _json(record["value"]),
        }
        for record in found
    ]
    frame = pd.DataFrame(rows)
    return frame if frame["Window"].any() else frame.drop(columns="Window")


def window(record: Mapping[str, Any], zone: str) -> str:
    """The window of a windowed key, or nothing."""
    if record.get("window_start") is None:
        return ""
    return f"{moment(record['window_start'], zone)} – {moment(record['window_end'], zone)}"


def _text(key: Any) -> str:
    """A text as it is, anything else as JSON: a record without a key has null."""
    return _visible(key) if isinstance(key, str) else _json(key)


def _json(value: Any, indent: int | None = None) -> str:
    return _visible(json.dumps(value, indent=indent, ensure_ascii=False))


def _visible(text: str) -> str:
    return _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _detail(record: Mapping[str, Any], zone: str) -> None:
    with st.container(border=True):
        place = f"partition {record['partition']}, offset {record['offset']}"
        st.markdown(f"## Record at {place}")
        st.caption(f"{moment(record['timestamp'], zone)} · {plural(record['size'], 'byte')}")
        st.code(_json({"key": record["key"], "value": record["value"]}, indent=2), language="json", wrap_lines=True)
        if record.get("headers"):
            st.dataframe(pd.DataFrame(record["headers"]), hide_index=True, alt="Headers")
