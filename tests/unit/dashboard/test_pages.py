"""Each page as Streamlit runs it, with the fakes behind it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from pinotdb import exceptions as pinot_errors
from streamlit.testing.v1 import AppTest

from services.dashboard import backend as backend_module
from services.dashboard import chart_card, sidebar
from services.dashboard.backend import Backend
from services.dashboard.pages import audience, controls, engagement, overview, pipeline, sources
from tests.unit.dashboard.fakes import PIPELINE, Pinot, Services, backend, flowing

PAGES = ["overview", "audience", "sources", "engagement", "pipeline", "controls"]
CHARTS = {"overview": 3, "audience": 5, "sources": 3, "engagement": 2, "pipeline": 0, "controls": 1}


@pytest.fixture
def pinot() -> Pinot:
    return Pinot(flowing())


@pytest.fixture
def services() -> Services:
    return Services()


@pytest.fixture(autouse=True)
def shared(monkeypatch: pytest.MonkeyPatch, pinot: Pinot, services: Services) -> Iterator[Backend]:
    made = backend(pinot, services)
    for module in (backend_module, chart_card, sidebar, pipeline, controls):
        monkeypatch.setattr(module, "get_backend", lambda: made)
    yield made


def open_page(name: str) -> AppTest:
    def script(page: str) -> None:
        import importlib  # noqa: PLC0415

        from services.dashboard import sidebar  # noqa: PLC0415

        sidebar.draw()
        importlib.import_module(f"services.dashboard.pages.{page}").render()

    test = AppTest.from_function(script, args=(name,), default_timeout=30).run()
    assert not test.exception, test.exception
    return test


def charts(test: AppTest) -> list[dict[str, object]]:
    return [json.loads(json.loads(element.proto.json)["figure"]) for element in test.get("bidi_component")]


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
    assert test.title[0].value == name.capitalize()
    assert len(charts(test)) == CHARTS[name]
    assert "Stale" not in texts(test)


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
    pinot.failure = pinot_errors.DatabaseError("{'errorCode': 190}")
    services.pipeline = {"ready": False, "state": "absent", "freshness_ms": None, "resources": []}
    words = texts(open_page("sources"))
    assert "The pipeline is not set up yet." in words
    assert "press **Apply**" in words


def test_no_users_says_seed(pinot: Pinot, services: Services) -> None:
    pinot.tables.clear()
    services.users = 0
    assert "press **Seed users**" in texts(open_page("sources"))


def test_when_pinot_goes_away_the_last_picture_stays_and_is_marked(pinot: Pinot) -> None:
    test = open_page("sources")
    before = charts(test)
    pinot.failure = pinot_errors.DatabaseError("{'errorCode': 200, 'message': 'x'}")
    test.run()
    assert not test.exception
    assert [len(spec["data"]) for spec in charts(test)] == [len(spec["data"]) for spec in before]  # type: ignore[arg-type]
    assert texts(test).count("Stale since") == 3
    assert "Pinot refused the query (code 200)." in texts(test)
    pinot.failure = None
    test.run()
    assert "Stale" not in texts(test)


def test_when_every_service_is_away_the_page_says_so(services: Services) -> None:
    services.away = {"generator", "seeder", "provisioner"}
    words = texts(open_page("controls"))
    assert "The generator at http://generator cannot be reached." in words
    assert "The provisioner at http://provisioner cannot be reached." in words
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


def test_the_rate_acts_while_the_generator_runs(services: Services) -> None:
    test = open_page("overview")
    press(test, "Start")
    slider = next(slider for slider in test.select_slider if slider.label == "Rate")
    slider.set_value(1000.0).run()
    assert services.calls[-1] == ("PUT", "/generator/rate", {"rate": 1000.0})
    assert "Rate is 1,000 events/s." in texts(test)


def test_the_rate_before_a_start_is_the_rate_of_the_start(services: Services) -> None:
    test = open_page("overview")
    next(slider for slider in test.select_slider if slider.label == "Rate").set_value(50.0).run()
    assert services.calls == []
    press(test, "Start")
    assert services.calls == [("POST", "/generator/start", {"rate": 50.0})]


def test_the_slider_follows_a_rate_that_somebody_else_set(services: Services) -> None:
    test = open_page("overview")
    press(test, "Start")
    services.generator["target_rate"] = 750.0
    test.run()
    slider = next(slider for slider in test.select_slider if slider.label == "Rate")
    assert slider.value == 750.0


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
    test = AppTest.from_function(_range_script, default_timeout=30)
    test.query_params["range"] = "6h"
    test.query_params["refresh"] = "paused"
    test.run()
    assert not test.exception
    assert test.session_state["range"] == "6h"
    assert test.session_state["refresh"] == "paused"
    assert test.caption[-1].value == "6h None"


def _range_script() -> None:
    import streamlit as st  # noqa: PLC0415

    from services.dashboard import view_state  # noqa: PLC0415

    view_state.choose(15)
    chosen = view_state.current()
    st.caption(f"{chosen.range} {chosen.every}")


def test_pages_are_all_known() -> None:
    rendered = [page.render for page in (overview, audience, sources, engagement, pipeline, controls)]
    assert len(rendered) == len(PAGES)


def test_changes_that_have_ended_may_be_started_again(services: Services) -> None:
    services.mutations = {"running": False, "updates": 20}
    start = next(button for button in open_page("controls").button if button.label == "Start changes")
    assert not start.disabled
    services.mutations = {"running": True, "updates": 3}
    start = next(button for button in open_page("controls").button if button.label == "Start changes")
    assert start.disabled


def test_the_slider_falls_back_to_the_rate_that_is_true(services: Services) -> None:
    """Streamlit gives a slider whose state is lost its default: were that the lowest rate, it would be set unasked."""
    services.generator.update(state="running", target_rate=750.0)
    test = open_page("overview")
    slider = next(slider for slider in test.select_slider if slider.label == "Rate")
    assert [slider.options[int(index)] for index in slider.proto.default] == ["750/s"]
    test.run()
    assert services.calls == []
