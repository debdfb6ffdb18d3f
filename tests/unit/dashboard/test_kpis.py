from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from services.dashboard import flow, load_profiles, runs
from services.dashboard.charts.base import ChartTheme
from services.dashboard.charts.lag import lag_over_time
from services.dashboard.format import clock, duration, number, plain, plural, short
from services.dashboard.kpis import active_users, per_minute
from services.dashboard.links import Links
from services.dashboard.queries import Span, rendered
from services.dashboard.settings import Settings
from services.dashboard.stale_cache import CachedResult
from services.dashboard.trends import Sample, Trends, event_age, share_healthy
from shared.errors import Unavailable
from tests.unit.dashboard.fakes import COLUMNS, PIPELINE, PROFILES, Pinot, Services, backend, flowing, windows

NOW = 1_800_000_030_000


def test_active_users_are_those_of_one_window() -> None:
    countries = windows(flowing(NOW)["pageview_country"], COLUMNS["pageview_country"], NOW)
    users, window, trend = active_users(countries, "UTC", NOW)
    assert users == 13
    assert window == "07:55 – 08:00"
    assert trend == [13.0] * 10


def test_the_open_window_is_marked_while_there_is_no_other() -> None:
    countries = windows(flowing(NOW)["pageview_country"][-3:], COLUMNS["pageview_country"], NOW)
    assert active_users(countries, "UTC", NOW) == (13, "open since 08:00", [])


def test_no_window_is_no_number() -> None:
    assert active_users(None, "UTC", NOW) == (None, "no window yet", [])


def test_views_per_window_leave_out_the_open_one() -> None:
    tumbling = windows(flowing(NOW)["pageview_tumbling"], COLUMNS["pageview_tumbling"], NOW)
    assert per_minute(tumbling, "view_count", NOW) == [0.0] * 12 + [180.0, 180.0]
    assert per_minute(None, "view_count", NOW) == []


def test_a_trend_ends_now_also_when_nothing_has_come_lately() -> None:
    tumbling = windows(flowing(NOW)["pageview_tumbling"], COLUMNS["pageview_tumbling"], NOW)
    later = tumbling.assign(open=False)
    assert per_minute(later, "view_count", NOW + 5 * 60_000) == [0.0] * 7 + [180.0] * 3 + [0.0] * 4


@pytest.mark.parametrize(
    ("value", "text"), [(None, "–"), (0, "0"), (0.5, "0.5"), (12.34, "12"), (1234567, "1,234,567"), (9.96, "10.0")]
)
def test_numbers(value: float | None, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (12, "12 ms"),
        (12_300, "12.3 s"),
        (200_000, "3 min 20 s"),
        (3_600_000, "1 h"),
        (9_000_000, "2 h 30 min"),
    ],
)
def test_durations(value: float | None, text: str) -> None:
    assert duration(value) == text


def test_numbers_that_must_fit() -> None:
    assert [short(value) for value in (None, 9_999_999, 12_345_678)] == ["–", "9,999,999", "12.35 M"]


def test_clock_and_plural() -> None:
    assert clock(1_800_000_000, "Asia/Bangkok") == "15:00:00"
    assert (plural(1, "user"), plural(2000, "user")) == ("1 user", "2,000 users")


def test_history_is_bounded_spaced_and_bucketed() -> None:
    history = Trends()
    for second in range(0, 2000):
        history.add(Sample(float(second), float(second), None, 1.0))
    assert len(history.series("rate")) <= 31
    assert history.series("rate") == sorted(history.series("rate"))
    assert history.series("rate")[0] >= 1000
    assert history.series("freshness_ms") == []


def test_a_sample_of_a_running_pipeline_and_of_one_that_is_unavailable() -> None:
    services, pinot = Services(), Pinot(flowing())
    services.generator |= {"state": "running", "achieved_rate": {"last_10s": 198.0}}
    taken = backend(pinot, services).sample()
    assert (taken.rate, taken.healthy) == (198.0, 1.0)
    assert taken.freshness_ms is not None
    services.unavailable = {"generator", "provisioner"}
    taken = backend(pinot, services).sample()
    assert (taken.rate, taken.freshness_ms, taken.healthy) == (0.0, None, 0.0)


def test_event_age_is_measured_when_pinot_was_asked() -> None:
    assert event_age(CachedResult(value=9_500, taken_at=10.0)) == 500.0
    assert event_age(CachedResult(value=10_500, taken_at=10.0)) == 0.0
    assert event_age(CachedResult(value=9_500, taken_at=10.0, stale_since=10.0, error=Unavailable("x"))) is None
    assert event_age(CachedResult()) is None


def test_share_healthy() -> None:
    assert share_healthy(CachedResult(value={"resources": [{"state": "ok"}, {"state": "failed"}]})) == 0.5
    assert share_healthy(CachedResult()) == 0.0


def test_the_flow_goes_from_sources_to_tables() -> None:
    found = flow.stages(PIPELINE, {"state": "running", "achieved_rate": {"last_10s": 200.0}}, {"users": 1000}, None)
    assert [stage.title for stage in found] == ["Sources", "Source topics", "Queries", "Result topics", "Pinot tables"]
    by_name = {node.name: node for stage in found for node in stage.nodes}
    assert by_name["generator"].figure == "200/s"
    assert by_name["topic1_PageView"].figure == "180/s"
    assert by_name["pageview_tumbling"].figure == "3/s · lag 0"
    assert found[2].nodes[0].figure == "180/s · lag 3"


def test_events_of_real_visitors_that_were_rejected_are_counted_in_the_flow() -> None:
    def collector(status: dict[str, object] | None) -> flow.Node:
        return next(node for node in flow.stages(PIPELINE, None, None, status)[0].nodes if node.name == "collector")

    seen = collector({"accepted": 1_200, "rejected": {"url": 2, "id": 1}, "last_error": None})
    assert (seen.state, seen.figure) == ("ok", "1,200 accepted · 3 rejected")
    assert seen.detail == "Rejected because of url: 2, id: 1"
    assert collector({"accepted": 0, "rejected": {}}).figure == "no visitors yet"
    assert collector({"accepted": 1, "rejected": {}, "last_error": "Kafka is unavailable."}).state == "failed"
    assert collector(None).state == "unknown"


def test_what_enters_a_result_topic_is_what_its_query_writes_and_the_connector_fills_one_topic() -> None:
    rates = {r["name"]: r["facts"]["rate_per_s"] for r in flow.rated(PIPELINE)["resources"] if r["kind"] != "query"}
    assert rates["topic6_PageView_Tumbling"] == 3.0
    assert rates["users-source"] == rates["topic3_Users"] == 0.5


def test_an_unknown_rate_is_left_out() -> None:
    alone = {"resources": [{"kind": "connector", "name": "users-source", "state": "ok", "facts": None}]}
    assert flow.figure(flow.rated(alone)["resources"][0]) == ""


def test_tables_of_the_flow_are_in_the_order_of_their_topics() -> None:
    tables = [
        {"kind": "pinot_table", "name": name, "state": "ok", "facts": {"topic": topic}}
        for name, topic in (("hopping", "topic7"), ("tumbling", "topic6"), ("unseen", None))
    ]
    found = flow.stages({"resources": tables}, None, None, None)
    assert [node.name for node in found[-1].nodes][-2:] == ["tumbling", "hopping"]


def test_the_flow_says_what_is_unknown_and_escapes_texts_from_outside() -> None:
    broken = {"kind": "query", "name": "<script>", "state": "failed", "detail": 'a "reason"'}
    text = flow.html(flow.stages({"resources": [broken]}, None, None, None))
    assert "<script>" not in text
    assert "flow-bad" in text
    assert "&quot;reason&quot;" in text
    assert "It is unavailable." in text


def test_the_flow_keeps_its_parts_while_the_provisioner_is_unavailable_and_claims_nothing_of_them() -> None:
    seen, now = flow.stages(PIPELINE, None, None, None), flow.stages(flow.unheard(PIPELINE), None, None, None)
    assert [[node.name for node in stage.nodes] for stage in now] == [
        [node.name for node in stage.nodes] for stage in seen
    ]
    nodes = [node for stage in now[1:] for node in stage.nodes]
    assert {(node.state, node.figure) for node in nodes} == {("unknown", "")}


def test_lines_of_the_flow_connect_a_query_to_its_topics_and_a_broken_one_is_traced() -> None:
    resources = [{**r, "state": "failed"} if r["kind"] == "query" else r for r in PIPELINE["resources"]]
    found = flow.stages({"resources": resources}, None, None, None)
    source_topics, queries, results, tables = found[1:]
    assert [node.name for node in source_topics.nodes] == ["topic1_PageView", "topic3_Users"]
    assert flow.edges(source_topics, queries) == [flow.Edge(0, 0, "failed")]
    assert flow.edges(queries, results) == [flow.Edge(0, 0, "failed")]
    assert flow.edges(results, tables) == [flow.Edge(0, 0, "ok")]
    assert flow.html(found).count('<path class="flow-bad"') == 2


def test_a_query_that_reads_a_later_topic_says_so_and_an_empty_stage_is_left_out() -> None:
    query = {
        "kind": "query",
        "name": "country",
        "state": "ok",
        "facts": {"reads": ["pageview_enriched"], "topic": "t5"},
    }
    found = flow.stages({"resources": [query]}, None, None, None)
    assert [stage.title for stage in found] == ["Sources", "Queries"]
    assert "<small>reads pageview_<wbr>enriched" in flow.html(found)


def test_a_query_of_another_querys_results_has_a_line_back_from_their_topic() -> None:
    def part(kind: str, name: str, state: str = "ok", **facts: object) -> dict[str, object]:
        return {"kind": kind, "name": name, "state": state, "facts": facts}

    resources = [
        part("query", "enriched", reads=["topic1_PageView"], topic="pageview_enriched"),
        part("query", "country", "failed", reads=["pageview_enriched"], topic="t5"),
        part("topic", "pageview_enriched"),
        part("topic", "t5"),
    ]
    found = flow.stages({"resources": resources}, None, None, None)
    assert flow.backward(*found[1:3]) == [flow.Edge(0, 1, "failed")]
    text = flow.html(found)
    assert 'class="flow-bad flow-back"' in text
    # on a phone there are no lines
    assert '<small class="flow-lined">reads pageview_<wbr>enriched' in text


def test_a_table_whose_topic_is_unknown_reads_nothing() -> None:
    table = {"kind": "pinot_table", "name": "t", "state": "missing", "facts": {}}
    assert "reads" not in flow.html(flow.stages({"resources": [table]}, None, None, None))


def test_lags_are_kept_over_time_by_name() -> None:
    services, pinot = Services(), Pinot(flowing())
    made = backend(pinot, services)
    made.trends.add(replace(made.sample(), at=1_800_000_000.123456789))
    lags = made.trends.lags()
    assert {at.nanosecond for at in lags["at"]} == {at.microsecond % 1_000 for at in lags["at"]} == {0}
    assert dict(zip(lags["name"], lags["lag"], strict=True)) == {
        "query pageview_tumbling": 3.0,
        "table pageview_tumbling": 0.0,
    }
    figure = lag_over_time(lags, ChartTheme())
    assert sorted(trace.name for trace in figure.data) == ["query pageview_tumbling", "table pageview_tumbling"]


def test_samples_do_not_keep_the_provisioner_busy() -> None:
    services = Services()
    made = backend(Pinot(flowing()), services)
    made.sample()
    made.pipeline()
    asked = [params for path, params in services.asked if path == "/provisioner/status"]
    assert asked == [{"attention": "false"}, {}]


def test_links_have_the_viewers_host_and_the_servers_ports() -> None:
    settings = Settings(generator_url="http://generator:8001", pinot_controller_url="http://127.0.0.1:9000")
    links = Links(settings, "demo.example")
    assert dict(links.servers())["Generator API"] == "http://demo.example:8001/docs"
    assert links.pinot_query("SELECT 1") == "http://demo.example:9000/#/query?query=SELECT%201"


def test_a_query_is_shown_with_its_values_and_a_quote_in_them_is_doubled() -> None:
    text = rendered("leaders", Span(1, 2, 3), countries=["Côte d'Ivoire", "Chad"])
    assert "window_start >= 1 AND window_start < 3" in text
    assert "IN ('Côte d''Ivoire', 'Chad')" in text


def test_progress_of_a_run() -> None:
    steps: list[dict[str, Any]] = [
        {"resource": "topic:a", "action": "unchanged", "state": "done", "took_ms": 3},
        {"resource": "query:b", "action": "create", "state": "running", "took_ms": None},
        {"resource": "query:c", "action": "create", "state": "pending", "took_ms": None},
    ]
    assert runs.progress({"kind": "apply", "state": "running", "steps": steps}) == (
        1,
        3,
        "Apply, 1 of 3 steps: query:b",
    )
    done = [{**step, "state": "done"} for step in steps]
    assert runs.progress({"kind": "apply", "state": "succeeded", "steps": done})[2] == (
        "Apply is done: 3 steps, 2 of them changed something."
    )
    assert list(runs.table({"steps": steps})["Part"]) == ["topic:a", "query:b", "query:c"]


def test_fields_of_a_profile_come_from_its_schema() -> None:
    properties = PROFILES["profiles"][1]["parameters"]["properties"]
    limits = load_profiles.limits(properties["to_rate"])
    assert limits == {"min_value": 0.0, "max_value": 1_000_000.0, "value": 2000.0, "step": 1.0}
    assert load_profiles.limits(properties["over_s"])["min_value"] > 0
    optional = {"anyOf": [{"type": "number", "exclusiveMinimum": 0}, {"type": "null"}], "default": None}
    assert load_profiles.nullable(optional)
    assert load_profiles.limits(optional)["value"] is None
    assert (load_profiles.words("over_s"), load_profiles.words("to_rate")) == ("Over, s", "To rate")


def test_what_others_wrote_is_no_markdown() -> None:
    """A picture would be fetched by the operator's browser from wherever the text says."""
    assert plain("![x](http://e.example) :red[a] <b> $x$") == r"!\[x\](`http://e.example)` \:red\[a\] \<b\> \$x\$"
    # what is made a link of without any markup
    assert plain("see HTTPS://e.example/a_b, www.e.example and `a@e.example") == (
        r"see `HTTPS://e.example/a_b,` `www.e.example` and \``a@e.example`"
    )
