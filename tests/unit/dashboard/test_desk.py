from __future__ import annotations

from collections.abc import Mapping
from threading import Event, Thread
from typing import Any

from services.dashboard.desk import Action, Desk, desk_of
from shared.errors import Conflict


def action(calls: list[str], name: str = "start") -> Action:
    def call() -> Mapping[str, Any]:
        calls.append(name)
        return {"rate": 5}

    return Action("sidebar", "Starting", call, lambda answer: f"Started at {answer['rate']}.")


def test_a_click_acts_once_and_says_what_happened() -> None:
    desk = Desk()
    calls: list[str] = []
    assert desk.submit(0, action(calls))
    assert desk.busy
    assert calls == []
    outcome = desk.settle()
    assert outcome is not None
    assert (outcome.ok, outcome.text) == (True, "Started at 5.")
    assert calls == ["start"]
    assert desk.settle() is None
    assert calls == ["start"]
    assert desk.outcomes["sidebar"] is outcome


def test_a_second_click_on_the_same_button_is_ignored_before_and_after() -> None:
    desk = Desk()
    calls: list[str] = []
    ticket = desk.ticket("sidebar")
    assert desk.submit(ticket, action(calls))
    assert not desk.submit(ticket, action(calls))
    desk.settle()
    assert not desk.submit(ticket, action(calls))
    assert desk.settle() is None
    assert calls == ["start"]
    assert desk.submit(desk.ticket("sidebar"), action(calls, "stop"))


def test_one_at_a_time() -> None:
    desk = Desk()
    calls: list[str] = []
    assert desk.submit(desk.ticket("sidebar"), action(calls, "start"))
    assert not desk.submit(desk.ticket("sidebar"), action(calls, "stop"))
    desk.settle()
    assert calls == ["start"]


def test_a_refusal_is_an_outcome_with_the_peers_detail() -> None:
    def refuse() -> Mapping[str, Any]:
        raise Conflict("generator: It runs already.")

    desk = Desk()
    desk.submit(0, Action("controls", "Starting", refuse, lambda _: "never"))
    outcome = desk.settle()
    assert outcome is not None
    assert (outcome.ok, outcome.text) == (False, "generator: It runs already.")
    assert not desk.busy


def test_two_threads_settle_once() -> None:
    begun, go = Event(), Event()
    calls: list[int] = []

    def slow() -> Mapping[str, Any]:
        calls.append(1)
        begun.set()
        assert go.wait(5)
        return {}

    desk = Desk()
    desk.submit(0, Action("sidebar", "Stopping", slow, lambda _: "Stopped."))
    thread = Thread(target=desk.settle)
    thread.start()
    assert begun.wait(5)
    assert desk.settle() is None
    assert desk.busy
    go.set()
    thread.join(5)
    assert calls == [1]
    assert not desk.busy


def test_a_session_has_one_desk() -> None:
    state: dict[str, Any] = {}
    assert desk_of(state) is desk_of(state)


def test_an_action_at_one_place_leaves_the_tickets_of_the_others() -> None:
    desk = Desk()
    calls: list[str] = []
    drawn_before = desk.ticket("controls")
    desk.submit(desk.ticket("sidebar"), action(calls))
    desk.settle()
    other = Action("controls", "Seeding", lambda: {"users": 1}, lambda _: "Seeded.")
    assert desk.submit(drawn_before, other)
    desk.settle()
    assert calls == ["start"]
    assert desk.outcomes["controls"].text == "Seeded."


def test_an_edit_that_arrives_with_the_click_counts() -> None:
    desk = Desk()
    calls: list[str] = []
    desk.submit(0, action(calls, "old values"))
    desk.renew(action(calls, "new values"))
    desk.settle()
    desk.renew(action(calls, "too late"))
    assert desk.settle() is None
    assert calls == ["new values"]


def test_a_click_that_comes_while_another_action_is_under_way_is_told_so() -> None:
    desk = Desk()
    assert desk.submit(desk.ticket("sidebar"), Action("sidebar", "Stopping", dict, lambda _: "Stopped."))
    assert not desk.submit(desk.ticket("pipeline"), Action("pipeline", "Applying", dict, lambda _: "Applied."))
    assert not desk.outcomes["pipeline"].ok
    assert "Press again" in desk.outcomes["pipeline"].text
    desk.settle()
    assert desk.submit(desk.ticket("pipeline"), Action("pipeline", "Applying", dict, lambda _: "Applied."))
