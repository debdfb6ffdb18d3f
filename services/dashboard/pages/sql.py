"""A read-only SQL box for Pinot and for ksqlDB's pull queries, with the pipeline's own queries to start from."""

from __future__ import annotations

import re
import time
from typing import Any, Final

import pandas as pd
import streamlit as st

from services.dashboard import view_state
from services.dashboard.backend import get_backend
from services.dashboard.format import duration, moment, plain, plural
from services.dashboard.queries import Span, rendered
from shared.errors import PagePulseError

_PINOT: Final = (
    "tumbling",
    "hopping",
    "sessions",
    "devices",
    "pages",
    "country",
    "views_total",
    "sessions_total",
    "newest",
)
_KSQL: Final = {
    "users by id": "SELECT * FROM cleaned_users WHERE user_id = 1;",
    "views per minute": "SELECT * FROM pageview_tumbling WHERE source = 'Homepage' LIMIT 20;",
    "users": "SELECT * FROM cleaned_users LIMIT 20;",
    "countries": "SELECT * FROM pageview_country LIMIT 20;",
}
_ENGINES: Final = {"Pinot": "pinot", "ksqlDB": "ksql"}
#: how columns of times are named: window_start, MAX(window_end), updated_at, event_timestamp, ROWTIME, WINDOWSTART
_NAMES_OF_TIMES: Final = re.compile(r"(start|end|time|timestamp|event|_at|_ms)\)?$", re.IGNORECASE)
#: the years 2000 to 2099 in epoch milliseconds; a duration in a column of such a name is less
_FIRST_MS: Final = 946_684_800_000
_END_MS: Final = 4_102_444_800_000


def render() -> None:
    st.caption(
        "A read-only query on the tables of Pinot or ksqlDB. Choose an example or write your own, then press **Run**."
    )
    engine = st.segmented_control(
        "Server", list(_ENGINES), default="Pinot", required=True, key="engine", bind="query-params"
    )
    name = _ENGINES.get(str(engine), "pinot")
    started = examples(name)
    example = st.selectbox("Example", list(started), key=f"example-{name}")
    with st.form("sql", border=True):
        text = st.text_area(
            "Query",
            started[example],
            height=180,
            key=f"text-{name}-{example}",
            max_chars=10_000,
            help="One SELECT statement, at most 1,000 rows and 10 seconds; on ksqlDB a pull query.",
        )
        run = st.form_submit_button("Run", icon=":material/play_arrow:", type="primary")
    if run:
        st.session_state["sql-answer"] = _query(name, text)
    _show(st.session_state.get("sql-answer"))


def examples(engine: str) -> dict[str, str]:
    """The pipeline's own queries, by name."""
    if engine == "ksql":
        return _KSQL
    hour = Span.last(3_600, time.time())
    return {query.replace("_", " "): rendered(query, hour).replace("LIMIT 10000", "LIMIT 1000") for query in _PINOT}


def _query(engine: str, text: str) -> dict[str, Any]:
    with st.spinner("Running…"):
        try:
            return get_backend().control.sql(engine, text)
        except PagePulseError as error:
            return {"error": error.detail}


def _show(answer: dict[str, Any] | None) -> None:
    if answer is None:
        return
    if "error" in answer:
        st.error(plain(answer["error"]), icon=":material/block:")
        return
    frame = pd.DataFrame(answer["rows"], columns=_unique(answer["columns"]))
    more = ", and there are more" if answer.get("cut") else ""
    zone = view_state.current().zone
    shown = readable(frame, zone)
    note = (
        "" if shown.equals(frame) else f" Times are in {zone}; the CSV has them in milliseconds, as they were answered."
    )
    st.caption(f"{plural(len(frame), 'row')}{more} in {duration(answer['took_ms'])}.{note}")
    st.dataframe(shown, hide_index=True, width="stretch", alt="Rows of the query")
    st.download_button(
        "CSV", lambda: frame.to_csv(index=False).encode(), "pagepulse-query.csv", "text/csv", on_click="ignore"
    )


def readable(frame: pd.DataFrame, zone: str) -> pd.DataFrame:
    """The frame with its times, epoch milliseconds, in words of the viewer's zone. A column is one of times by its name and its values."""
    shown = frame.copy()
    for name in map(str, frame):
        if _NAMES_OF_TIMES.search(re.sub(r" \(\d+\)$", "", name)) and _are_times(frame[name]):
            shown[name] = [None if pd.isna(at) else moment(at, zone) for at in frame[name]]
    return shown


def _are_times(column: pd.Series[Any]) -> bool:
    known = column.dropna().tolist()
    return bool(known) and all(type(at) in (int, float) and _FIRST_MS <= at < _END_MS for at in known)


def _unique(names: list[str]) -> list[str]:
    """A query may name a column twice; a table may not."""
    return [name if name not in names[:at] else f"{name} ({at + 1})" for at, name in enumerate(names)]
