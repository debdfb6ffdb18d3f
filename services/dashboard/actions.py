"""Actions of one viewer: at most one at a time, none fires twice, each says what happened."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Lock
from time import time
from typing import Any, Final

import structlog

from shared.errors import PagePulseError

_log = structlog.get_logger(__name__)

_SESSION_KEY: Final = "action_queue"
BUSY: Final = "Nothing was done: another action was still under way. Press again."


@dataclass(frozen=True, slots=True)
class Action:
    """``doing`` is shown while it runs; ``done`` turns the peer's answer into a sentence."""

    place: str
    doing: str
    call: Callable[[], Mapping[str, Any]]
    done: Callable[[Mapping[str, Any]], str]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the last action at a place led to. ``at`` is epoch seconds."""

    ok: bool
    text: str
    at: float
    answer: Mapping[str, Any] = field(default_factory=dict)


class ActionQueue:
    """A click carries the ticket that its button was drawn with. A second click on the same button carries the same
    ticket, which is spent by then: it is ignored, however late it arrives. Each place has tickets of its own, since
    an action at one place does not redraw the others."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._pending: Action | None = None
        self._running = False
        self._tickets: dict[str, int] = {}
        self.outcomes: dict[str, Outcome] = {}

    @property
    def busy(self) -> bool:
        """Whether an action waits or runs; every control is disabled meanwhile."""
        return self._pending is not None or self._running

    @property
    def doing(self) -> str:
        return self._pending.doing if self._pending else ""

    def ticket(self, place: str) -> int:
        """The ticket for what is drawn at ``place`` now."""
        return self._tickets.get(place, 0)

    def submit(self, ticket: int, action: Action) -> bool:
        """Queues ``action``; False if the ticket is spent (a second click on the same button, ignored in silence), or if
        another action is under way, which the outcome then says."""
        with self._lock:
            if ticket != self.ticket(action.place):
                return False
            if self.busy:
                self.outcomes[action.place] = Outcome(False, BUSY, time())
                return False
            self._tickets[action.place] = ticket + 1
            self._pending = action
            return True

    def renew(self, action: Action) -> None:
        """Gives a queued action the values that its fields have now: a click may arrive together with the last edit."""
        with self._lock:
            queued = self._pending
            if queued and not self._running and (queued.place, queued.doing) == (action.place, action.doing):
                self._pending = action

    def settle(self) -> Outcome | None:
        """Runs what is queued, once; None if nothing is. Refusals become outcomes, not exceptions."""
        with self._lock:
            action = self._pending
            if action is None or self._running:
                return None
            self._running = True
        try:
            outcome = _perform(action)
            self.outcomes[action.place] = outcome
            return outcome
        finally:
            with self._lock:
                self._pending, self._running = None, False


def _perform(action: Action) -> Outcome:
    try:
        answer = action.call()
    except PagePulseError as error:
        _log.info("an action was refused", action=action.doing, problem=error.type, detail=error.detail)
        return Outcome(False, error.detail, time())
    return Outcome(True, action.done(answer), time(), answer)


def queue_of(state: Any) -> ActionQueue:
    """The queue of a viewer's session (``state`` is st.session_state)."""
    if _SESSION_KEY not in state:
        state[_SESSION_KEY] = ActionQueue()
    queue: ActionQueue = state[_SESSION_KEY]
    return queue
