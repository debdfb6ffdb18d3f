from __future__ import annotations

from collections.abc import Mapping
from threading import Event, Thread
from typing import Any

from services.dashboard.actions import Action, ActionQueue, queue_of
from shared.errors import Conflict
from tests.patience import STEP_S


def action(calls: list[str], name: str = "start") -> Action:
    def call() -> Mapping[str, Any]:
        calls.append(name)
        return {"rate": 5}

    return Action("sidebar", "Starting", call, lambda answer: f"Started at {answer['rate']}.")


def test_a_click_acts_once_and_says_what_happened() -> None:
    queue = ActionQueue()
    calls: list[str] = []
    assert queue.submit(0, action(calls))
    assert queue.busy
    assert calls == []
    outcome = queue.settle()
    assert outcome is not None
    assert (outcome.ok, outcome.text) == (True, "Started at 5.")
    assert calls == ["start"]
    assert queue.settle() is None
    assert calls == ["start"]
    assert queue.outcomes["sidebar"] is outcome


def test_a_second_click_on_the_same_button_is_ignored_before_and_after() -> None:
    queue = ActionQueue()
    calls: list[str] = []
    ticket = queue.ticket("sidebar")
    assert queue.submit(ticket, action(calls))
    assert not queue.submit(ticket, action(calls))
    queue.settle()
    assert not queue.submit(ticket, action(calls))
    assert queue.settle() is None
    assert calls == ["start"]
    assert queue.submit(queue.ticket("sidebar"), action(calls, "stop"))


def test_one_at_a_time() -> None:
    queue = ActionQueue()
    calls: list[str] = []
    assert queue.submit(queue.ticket("sidebar"), action(calls, "start"))
    assert not queue.submit(queue.ticket("sidebar"), action(calls, "stop"))
    queue.settle()
    assert calls == ["start"]


def test_a_refusal_is_an_outcome_with_the_peers_detail() -> None:
    def refuse() -> Mapping[str, Any]:
        raise Conflict("generator: It runs already.")

    queue = ActionQueue()
    queue.submit(0, Action("controls", "Starting", refuse, lambda _: "never"))
    outcome = queue.settle()
    assert outcome is not None
    assert (outcome.ok, outcome.text) == (False, "generator: It runs already.")
    assert not queue.busy


def test_two_threads_settle_once() -> None:
    begun, go = Event(), Event()
    calls: list[int] = []

    def slow() -> Mapping[str, Any]:
        calls.append(1)
        begun.set()
        assert go.wait(STEP_S)
        return {}

    queue = ActionQueue()
    queue.submit(0, Action("sidebar", "Stopping", slow, lambda _: "Stopped."))
    thread = Thread(target=queue.settle)
    thread.start()
    assert begun.wait(STEP_S)
    assert queue.settle() is None
    assert queue.busy
    go.set()
    thread.join(STEP_S)
    assert calls == [1]
    assert not queue.busy


def test_a_session_has_one_queue_of_actions() -> None:
    state: dict[str, Any] = {}
    assert queue_of(state) is queue_of(state)


def test_an_action_at_one_place_leaves_the_tickets_of_the_others() -> None:
    queue = ActionQueue()
    calls: list[str] = []
    drawn_before = queue.ticket("controls")
    queue.submit(queue.ticket("sidebar"), action(calls))
    queue.settle()
    other = Action("controls", "Seeding", lambda: {"users": 1}, lambda _: "Seeded.")
    assert queue.submit(drawn_before, other)
    queue.settle()
    assert calls == ["start"]
    assert queue.outcomes["controls"].text == "Seeded."


def test_an_edit_that_arrives_with_the_click_counts() -> None:
    queue = ActionQueue()
    calls: list[str] = []
    queue.submit(0, action(calls, "old values"))
    queue.renew(action(calls, "new values"))
    queue.settle()
    queue.renew(action(calls, "too late"))
    assert queue.settle() is None
    assert calls == ["new values"]


def test_a_click_that_comes_while_another_action_is_under_way_gets_a_message() -> None:
    queue = ActionQueue()
    assert queue.submit(queue.ticket("sidebar"), Action("sidebar", "Stopping", dict, lambda _: "Stopped."))
    assert not queue.submit(queue.ticket("pipeline"), Action("pipeline", "Applying", dict, lambda _: "Applied."))
    assert not queue.outcomes["pipeline"].ok
    assert "Press again" in queue.outcomes["pipeline"].text
    queue.settle()
    assert queue.submit(queue.ticket("pipeline"), Action("pipeline", "Applying", dict, lambda _: "Applied."))
