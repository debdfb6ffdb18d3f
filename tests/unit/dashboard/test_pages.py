"""Each page as Streamlit runs it, with the fakes behind it."""

from __future__ import annotations

import csv
import json
import re
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pytest
import streamlit
from streamlit.testing.v1 import AppTest

from services.dashboard import audits, chart_card, sidebar, widgets
from services.dashboard import backend as backend_module
from services.dashboard.actions import ActionQueue
from services.dashboard.backend import Backend
from services.dashboard.pages import audience, controls, engagement, overview, pipeline, records, sources, sql
from tests.patience import STEP_S
from tests.unit.dashboard.fakes import PIPELINE, Pinot, Services, backend, flowing

PAGES = ["overview", "audience", "sources", "engagement", "pipeline", "controls", "records", "sql"]
CHARTS = {
    "overview": 3,
    "audience": 5,
    "sources": 3,
    "engagement": 3,
    "pipeline": 0,
    "controls": 1,
    "records": 0,
    "sql": 0,
}


@pytest.fixture
def pinot() -> Pinot:
    return Pinot(flowing())


@pytest.fixture
def services() -> Services:
    return Services()


@pytest.fixture(autouse=True)
def shared(monkeypatch: pytest.MonkeyPatch, pinot: Pinot, services: Services) -> Iterator[Backend]:
    # The fakes answer at once; on a busy machine the thread that asks for an audit may still need a while.
    monkeypatch.setattr(audits, "_REFUSAL_S", STEP_S)
    made = backend(pinot, services)
    for module in (backend_module, chart_card, sidebar, pipeline, controls, records, sql):
        monkeypatch.setattr(module, "get_backend", lambda: made)
    yield made


def open_page(name: str, **address: str) -> AppTest:
    def script(page: str) -> None:
        import importlib  # noqa: PLC0415

        from services.dashboard import sidebar  # noqa: PLC0415

        sidebar.draw()
        importlib.import_module(f"services.dashboard.pages.{page}").render()

    test = AppTest.from_function(script, args=(name,), default_timeout=STEP_S)
    for choice, value in address.items():
        test.query_params[choice] = value
    test.run()
    assert not test.exception, test.exception
    return test


def charts(test: AppTest) -> list[dict[str, object]]:
    data = [json.loads(element.proto.json) for element in test.get("bidi_component")]
    return [json.loads(each["figure"]) for each in data if "figure" in each]


def texts(test: AppTest) -> str:
    elements = [*test.markdown, *test.caption, *test.info, *test.error, *test.success]
    return "\n".join(shown(element.value) for element in elements)


def shown(markdown: object) -> str:
    """As it is read: a backslash before a character says that it is only that character."""
    return re.sub(r"\\([^\w\s]|_)", r"\1", str(markdown))


def press(test: AppTest, label: str) -> AppTest:
    button = next(button for button in test.button if button.label == label)
    assert not button.disabled
    done = button.click().run()
    assert not done.exception, done.exception
    return done


@pytest.mark.parametrize("name", PAGES)
def test_every_page_draws_its_charts(name: str) -> None:
    test = open_page(name)
    assert len(charts(test)) == CHARTS[name]
    assert "Stale" not in texts(test)


def test_the_heading_is_drawn_before_any_server_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    def script() -> None:
        from services.dashboard import app  # noqa: PLC0415

        app.main()

    def refuse() -> None:
        raise RuntimeError("a server is asked")

    monkeypatch.setattr(sidebar, "draw", refuse)
    test = AppTest.from_function(script, default_timeout=STEP_S).run()
    assert [title.value for title in test.title] == ["Overview"]
    assert "a server is asked" in test.exception[0].value


def test_numbers_on_the_overview_are_those_in_pinot(pinot: Pinot) -> None:
    shown = {metric.label: metric.value for metric in open_page("overview").metric}
    assert shown["Active users"] == "13"
    assert shown["Page views today"] == f"{sum(row[3] for row in pinot.tables['pageview_tumbling']):,}"
    assert shown["Sessions today"] == f"{sum(row[3] for row in pinot.tables['usersession_device']):,}"
    assert shown["Pipeline"] == "Ready"
    assert shown["Events per second"] == "0"


@pytest.mark.parametrize("name", ["overview", "audience", "sources", "engagement"])
def test_an_empty_pipeline_says_what_to_press(name: str, pinot: Pinot, services: Services) -> None:
    pinot.tables.clear()
    services.tiers.clear()
    test = open_page(name)
    assert not charts(test)
    assert "Press **Start** in the sidebar" in texts(test)


def test_a_missing_pipeline_says_apply(pinot: Pinot, services: Services) -> None:
    pinot.failure = 190
    services.pipeline = {"ready": False, "state": "absent", "freshness_ms": None, "resources": []}
    words = texts(open_page("sources"))
    assert "The pipeline is not set up yet." in words
    assert "press **Apply**" in words


def test_a_missing_pipeline_is_nothing_stale(pinot: Pinot, services: Services) -> None:
    pinot.failure = 190
    services.pipeline = {"ready": False, "state": "absent", "freshness_ms": None, "resources": []}
    test = open_page("overview")
    notes = {metric.label: metric.delta for metric in test.metric}
    assert notes["Active users"] == notes["Page views today"] == "not set up yet"
    assert "stale" not in " ".join(notes.values())
    assert "cannot be reached" not in " ".join(element.proto.body for element in test.get("html"))
    # its own button is beside it
    assert "yet. Press **Apply**." in texts(test)


def test_no_users_says_seed(pinot: Pinot, services: Services) -> None:
    pinot.tables.clear()
    services.users = 0
    assert "press **Seed users**" in texts(open_page("sources"))


def test_when_pinot_becomes_unavailable_the_last_picture_stays_and_is_marked(pinot: Pinot) -> None:
    test = open_page("sources")
    before = charts(test)
    pinot.failure = 200
    test.run()
    assert not test.exception
    assert [len(spec["data"]) for spec in charts(test)] == [len(spec["data"]) for spec in before]  # type: ignore[arg-type]
    assert texts(test).count("Stale since") == 3
    assert "Pinot refused the query (code 200): refused." in texts(test)
    pinot.failure = None
    test.run()
    assert "Stale" not in texts(test)


def test_when_every_service_is_unavailable_the_page_says_so(services: Services) -> None:
    services.unavailable = {"generator", "seeder", "provisioner"}
    words = texts(open_page("controls"))
    assert "generator at `http://generator` cannot be reached: " in words
    assert "provisioner at `http://provisioner` cannot be reached: " in words
    assert "Unknown" in words


def test_start_stop_and_pause_from_the_sidebar(services: Services) -> None:
    test = open_page("overview")
    press(test, "Start")
    assert services.calls == [("POST", "/generator/start", {"rate": 200.0})]
    assert "Started at 200 events/s." in texts(test)
    press(test, "Pause")
    press(test, "Resume")
    press(test, "Stop")
    assert [path for _, path, _ in services.calls][1:] == ["/generator/pause", "/generator/resume", "/generator/stop"]
    assert "Stopped: 0 events acknowledged." in texts(test)


def test_a_refusal_is_shown_as_the_service_words_it(services: Services) -> None:
    test = open_page("overview")
    services.refuse = "There are no users: seed some first with POST /seeder/seed."
    press(test, "Start")
    assert "There are no users: seed some first" in "\n".join(shown(error.value) for error in test.error)


def rates(test: AppTest) -> list[float]:
    """The rate that each place on the page shows."""
    data = [json.loads(element.proto.json) for element in test.get("bidi_component")]
    return [each["rate"] for each in data if "rate" in each]


def choose_rate(test: AppTest, shared: Backend, services: Services, rate: float) -> AppTest:
    """As the control's callback does it: AppTest cannot act on a component."""

    def act(queue: ActionQueue) -> None:
        state = {"action_queue": queue, "rate": rate}
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(streamlit, "session_state", state)
            widgets.change_rate(shared, services.generator, "sidebar", rate)

    test.session_state["rate"] = rate
    act(test.session_state["action_queue"])
    done = test.run()
    assert not done.exception, done.exception
    return done


def test_the_rate_acts_while_the_generator_runs(services: Services, shared: Backend) -> None:
    test = open_page("controls")
    press(test, "Start")
    test = choose_rate(test, shared, services, 1234.5)
    assert services.calls[-1] == ("PUT", "/generator/rate", {"rate": 1234.5})
    assert "Rate is 1,234 events/s." in texts(test)
    assert rates(test) == [1234.5, 1234.5]


def test_the_rate_before_a_start_is_the_rate_of_the_start_at_every_place(services: Services, shared: Backend) -> None:
    test = choose_rate(open_page("controls"), shared, services, 0.0)
    assert services.calls == []
    assert rates(test) == [0.0, 0.0]
    press(test, "Start")
    assert services.calls[0][2]["rate"] == 0.0
    assert "Started at full speed." in texts(test)


def test_every_place_follows_a_rate_that_another_client_set(services: Services) -> None:
    test = open_page("controls")
    press(test, "Start")
    services.generator["target_rate"] = 750.0
    test.run()
    assert rates(test) == [750.0, 750.0]
    assert [method for method, *_ in services.calls] == ["POST"]


def test_a_profile_that_moves_the_rate_does_not_move_the_chosen_one(services: Services) -> None:
    services.generator.update(state="running", target_rate=333.0, profile={"kind": "sine"})
    assert rates(open_page("controls")) == [200.0, 200.0]


def test_seeding_from_the_controls(services: Services) -> None:
    test = press(open_page("controls"), "Seed users")
    assert services.calls == [
        ("POST", "/seeder/seed", {"count": 1000, "seed": 42, "null_fraction": 0.05, "mode": "append"})
    ]
    assert "Seeding 1,000 users: running." in texts(test)


def test_a_profile_is_chosen_filled_in_and_used(services: Services) -> None:
    services.generator["state"] = "running"
    test = open_page("controls")
    groups: list[Any] = list(test.get("button_group"))
    next(group for group in groups if group.label == "Profile").set_value("ramp").run()
    press(test, "Use this profile now")
    assert services.calls == [
        ("PUT", "/generator/profile", {"profile": {"kind": "ramp", "to_rate": 2000.0, "over_s": 60.0}})
    ]


def test_apply_from_the_pipeline(services: Services) -> None:
    test = press(open_page("pipeline"), "Apply")
    assert services.calls == [("POST", "/provisioner/apply", None)]
    assert "Apply has begun" in texts(test)


def test_verify_from_the_pipeline_shows_the_report(services: Services) -> None:
    test = press(open_page("pipeline"), "Verify")
    assert services.calls == [("POST", "/provisioner/verify", None)]
    assert "9 rows compared, all equal to what was recomputed from 60 records in 800 ms." in texts(test)
    assert test.dataframe[0].value["Side"].tolist() == ["Pinot"]


def test_what_is_wrong_is_named_with_what_to_do(services: Services) -> None:
    broken = {"kind": "query", "name": "pageview_session", "state": "drifted", "detail": "its query was terminated"}
    services.pipeline = {**PIPELINE, "state": "degraded", "resources": [*PIPELINE["resources"], broken]}
    words = texts(open_page("pipeline"))
    assert "pageview_session" in words
    assert "its query was terminated" in words
    assert "Apply repairs it" in words


def test_the_address_keeps_the_view() -> None:
    test = AppTest.from_function(_range_script, default_timeout=STEP_S)
    test.query_params["range"] = "6h"
    test.query_params["refresh"] = "paused"
    test.run()
    assert not test.exception
    assert test.session_state["range"] == "6h"
    assert test.session_state["refresh"] == "paused"
    assert test.caption[-1].value == "6h None"


def test_an_interval_in_the_address_holds_from_the_first_fragment_on() -> None:
    def script() -> None:
        import streamlit as st  # noqa: PLC0415

        from services.dashboard import view_state  # noqa: PLC0415

        st.caption(f"{view_state.current().every}")
        view_state.choose(15)

    for given, every in (("2s", "2.0"), ("paused", "None"), ("1ms", "15.0")):
        test = AppTest.from_function(script, default_timeout=STEP_S)
        test.query_params["refresh"] = given
        test.run()
        assert not test.exception
        assert test.caption[0].value == every


def _range_script() -> None:
    import streamlit as st  # noqa: PLC0415

    from services.dashboard import view_state  # noqa: PLC0415

    view_state.choose(15)
    chosen = view_state.current()
    st.caption(f"{chosen.range} {chosen.every}")


def test_pages_are_all_known() -> None:
    rendered = [page.render for page in (overview, audience, sources, engagement, pipeline, controls, records, sql)]
    assert len(rendered) == len(PAGES)


def test_changes_that_have_ended_may_be_started_again(services: Services) -> None:
    services.mutations = {"running": False, "updates": 20}
    start = next(button for button in open_page("controls").button if button.label == "Start changes")
    assert not start.disabled
    services.mutations = {"running": True, "updates": 3}
    start = next(button for button in open_page("controls").button if button.label == "Start changes")
    assert start.disabled


@pytest.mark.parametrize(
    ("missing", "words", "button"),
    [
        ("pipeline", "The pipeline is not set up yet.", "Apply"),
        ("users", "There are no users.", "Seed 1,000 users"),
        ("load", "No load is generated.", None),
        ("rows", "The first windows arrive within seconds.", None),
        ("generator", "The generator is unavailable", None),
    ],
)
def test_the_overview_says_what_is_missing_and_what_to_press(
    missing: str, words: str, button: str | None, pinot: Pinot, services: Services
) -> None:
    services.generator["state"] = "stopped" if missing == "load" else "running"
    if missing == "pipeline":
        services.pipeline = {"state": "absent", "resources": []}
    if missing == "users":
        services.users = 0
    if missing == "rows":
        pinot.tables.clear()
    if missing == "generator":
        services.unavailable = {"generator"}
    test = open_page("overview")
    assert re.search(rf"Next:.*{re.escape(words)}", texts(test))
    assert [b.label for b in test.button if b.label in ("Apply", "Seed 1,000 users")] == ([button] if button else [])
    if button:
        press(test, button)
        assert services.calls[-1][1] in ("/provisioner/apply", "/seeder/seed")


def test_the_guidance_collapses_once_all_is_running(services: Services) -> None:
    services.generator.update(state="running", target_rate=200.0)
    test = open_page("overview")
    assert "Next:" not in texts(test)
    assert "About this page" in [expander.label for expander in test.expander]


def test_a_range_of_dates_and_a_comparison_reach_the_queries(pinot: Pinot) -> None:
    def script() -> None:
        from services.dashboard import sidebar  # noqa: PLC0415
        from services.dashboard.pages import sources  # noqa: PLC0415

        sidebar.draw()
        sources.render()

    test = AppTest.from_function(script, default_timeout=STEP_S)
    test.query_params.update(range="dates", compare="true")
    test.query_params["from"], test.query_params["to"] = "2026-11-01T10:00", "2026-11-01T11:00"
    test.run()
    assert not test.exception
    asked = [parameters for statement, parameters in pinot.asked if "FROM pageview_tumbling" in statement]
    hour, since = 3_600_000, 1_793_527_200_000
    spans = {(each["since"], each["until"]) for each in asked if "limit" in each}
    assert spans == {(since, since + hour), (since - hour, since)}
    assert "period before" in json.dumps(charts(test)[0])


def test_events_are_marked_on_the_time_axis(services: Services) -> None:
    now = int(time.time() * 1000)
    services.events = [
        {"at_ms": now - 60_000, "title": "Rate 2,000 events/s", "detail": "<b>changed</b>"},
        {"at_ms": now - 9_000_000, "title": "long ago", "detail": ""},
    ]
    marked: Any = charts(open_page("sources"))[0]
    (mark,) = marked["layout"]["annotations"]
    assert "Rate 2,000 events/s<br>&lt;b&gt;changed" in mark["hovertext"]
    marks = [shape for shape in marked["layout"]["shapes"] if shape["opacity"]]
    assert len(marks) == 1


def test_a_chart_has_its_sql_and_its_ways_on(services: Services) -> None:
    test = open_page("sources")
    (sql,) = [code.value for code in test.code if "pageview_tumbling" in code.value]
    assert "%(" not in sql
    assert "LIMIT 10000" in sql
    links = [element.proto.url for element in test.get("link_button")]
    assert any("9000/#/query?query=SELECT%20source" in url for url in links)
    assert any(url.endswith("/#/tenants/table/pageview_tumbling_REALTIME") for url in links)


def test_records_are_asked_for_and_shown(services: Services) -> None:
    services.records = [
        {"partition": 1, "offset": n, "timestamp": 1_800_000_000_000 + n, "key": f"k{n}", "window_start": None}
        | {"window_end": None, "headers": [], "value": {"n": n}, "size": 9}
        for n in range(2)
    ]
    test = open_page("records")
    assert services.asked[-1] == ("/provisioner/topics/topic1_PageView/records", {"from": "newest", "limit": "20"})
    assert test.dataframe[0].value["Key"].tolist() == ["k1", "k0"]
    assert '"n": 1' in test.code[0].value
    next(field for field in test.text_input if field.label == "Text").set_value("Inbox").run()
    assert services.asked[-1][1]["contains"] == "Inbox"


def test_strange_records_are_shown_as_they_are(services: Services) -> None:
    common: dict[str, Any] = {
        "partition": 0,
        "timestamp": 2**62,
        "window_start": None,
        "window_end": None,
        "headers": [],
        "size": 0,
    }
    services.records = [
        {**common, "offset": 1, "key": "\u200b\u202ea", "value": "\u202eevil"},
        {**common, "offset": 2, "key": None, "value": None},
    ]
    test = open_page("records")
    shown = test.dataframe[0].value
    assert shown["Key"].tolist() == ["null", r"\u200b\u202ea"]
    assert shown["Value"].tolist() == ["null", r'"\u202eevil"']
    assert shown["Time"].tolist()[0] == f"{2**62} ms"


def test_records_of_windowed_keys_have_their_window(services: Services) -> None:
    services.records = [
        {
            "partition": 0,
            "offset": 7,
            "timestamp": 1_800_000_000_000,
            "key": "Inbox",
            "value": None,
            "headers": [],
            "size": 0,
        }
        | {"window_start": 1_800_000_000_000, "window_end": 1_800_000_060_000}
    ]
    shown = open_page("records").dataframe[0].value
    assert shown["Key"].tolist() == ["Inbox"]
    assert shown["Window"].tolist() == ["2027-01-15 08:00:00.000 – 2027-01-15 08:01:00.000"]


def test_records_begin_at_a_time_or_at_an_offset_of_a_partition(services: Services) -> None:
    test = open_page("records", begin="time")
    when = datetime(2026, 11, 1, 10, 30)
    test.datetime_input[0].set_value(when).run()
    at = str(int(when.replace(tzinfo=UTC).timestamp() * 1000))
    assert services.asked[-1][1] == {"from": "time", "at": at, "limit": "20"}
    test = open_page("records", begin="offset")
    next(field for field in test.number_input if field.label == "Offset").set_value(5).run()
    assert services.asked[-1][1] == {"from": "offset", "at": "5", "partition": "0", "limit": "20"}


@pytest.mark.parametrize(
    ("partition", "ends", "words"),
    [
        (0, [0, 9, 0, 4], "Partition 0 has no records; partitions 1, 3 do."),
        (0, [0, 9], "Partition 0 has no records; partition 1 does."),
        (1, [0, 9], "No record matches."),
        (None, [0, 9], "No record matches."),
        (0, [0, 0], "No record matches."),
    ],
)
def test_an_empty_partition_is_named(partition: int | None, ends: list[int], words: str) -> None:
    assert records.nothing(partition, [{"partition": n, "begin": 0, "end": end} for n, end in enumerate(ends)]) == words


def test_rejected_events_can_be_looked_at() -> None:
    assert "topic0_Rejected" in open_page("records").selectbox[0].options


def test_sql_is_run_and_shown_and_a_refusal_is_said(services: Services) -> None:
    test = press(open_page("sql"), "Run")
    body = services.calls[-1][2]
    assert body["engine"] == "pinot"
    assert body["sql"].startswith("SELECT source")
    assert test.dataframe[0].value.columns.tolist() == ["a", "a (2)"]
    services.refuse = "sql: one query at a time"
    test = press(test, "Run")
    assert "one query at a time" in test.error[0].value


def test_times_in_the_rows_of_a_query_are_shown_as_times_and_saved_as_they_are(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved: list[Callable[[], bytes]] = []
    monkeypatch.setattr(streamlit, "download_button", lambda _label, data, *_, **__: saved.append(data))
    at = 1_795_000_000_123
    services.table = {
        "columns": [
            "window_start",
            "WINDOWEND",
            "MAX(updated_at)",
            "window_start",
            "took_ms",
            "event_timestamp",
            "user_count",
        ],
        "rows": [[at, at, float(at), at, 850, None, at], [at + 1, at, float(at), at, 12, at, 3]],
    }
    test = press(open_page("sql"), "Run")
    shown = test.dataframe[0].value
    moment = "2026-11-18 11:06:40.123"
    assert shown["window_start"].tolist() == [moment, "2026-11-18 11:06:40.124"]
    for name in ("WINDOWEND", "MAX(updated_at)", "window_start (4)"):
        assert shown[name].tolist() == [moment, moment]
    assert [None if pd.isna(each) else each for each in shown["event_timestamp"]] == [None, moment]
    assert shown["took_ms"].tolist() == [850, 12], "a duration"
    assert shown["user_count"].tolist() == [at, 3], "no time by its name"
    assert "Times are in UTC; the CSV has them in milliseconds" in texts(test)
    rows = list(csv.reader(saved[-1]().decode().splitlines()))
    assert rows[1] == [str(at), str(at), str(float(at)), str(at), "850", "", str(at)]


def test_a_chart_says_what_it_leaves_out() -> None:
    frame = pd.DataFrame({"window_start": pd.to_datetime(["2026-11-28 10:00"], utc=True)})
    assert chart_card.bounds(frame, "Asia/Bangkok") == []
    frame.attrs = {"cut": True, "interval_ms": 600_000}
    coarse, cut = chart_card.bounds(frame, "Asia/Bangkok")
    assert "mean of the windows that begin in 10 min" in coarse
    assert "newest 1 rows, from Nov 28, 17:00 on" in cut


def test_tiles_are_of_now_where_the_charts_are_of_other_dates() -> None:
    def script() -> None:
        import importlib  # noqa: PLC0415

        from services.dashboard import sidebar  # noqa: PLC0415

        sidebar.draw()
        importlib.import_module("services.dashboard.pages.overview").render()

    test = AppTest.from_function(script, default_timeout=STEP_S)
    test.query_params.update({"range": "dates", "from": "2024-01-01T00:00", "to": "2024-02-01T00:00"})
    test.run()
    assert not test.exception, test.exception
    assert {metric.label: metric.value for metric in test.metric}["Active users"] == "13"
    assert "each point is the mean" not in texts(test)  # none of the fakes' rows is in that month


def test_a_generator_that_is_unavailable_has_no_rate(services: Services) -> None:
    services.unavailable = {"generator", "seeder"}
    shown = {metric.label: metric.value for metric in open_page("overview").metric}
    assert shown["Events per second"] == "–"
