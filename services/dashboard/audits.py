"""An audit while it runs: it may take minutes, so it is asked for in a thread of its own and its progress is shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Event, Thread
from time import monotonic
from typing import Any, Final

import pandas as pd
import streamlit as st

from services.dashboard.backend import Backend
from services.dashboard.format import duration, number, plain, plural
from shared.errors import PagePulseError

#: a refusal (one runs already, a server is unavailable) comes at once: it is the answer to the click
_REFUSAL_S: Final = 1.0
_KEY: Final = "audit"
_WRONG: Final = ("missing", "extra", "different")
#: the sides of the report in words
_SIDES: Final = {"sink": "Kafka", "pinot": "Pinot"}


@dataclass(slots=True)
class Audit:
    """One audit: its report or its error once it is over."""

    call: Callable[[], Mapping[str, Any]]
    report: Mapping[str, Any] | None = None
    error: PagePulseError | None = None
    began: float = field(default_factory=monotonic)
    over: Event = field(default_factory=Event)

    def start(self) -> Mapping[str, Any]:
        """Returns after a second, or when it is over.

        Raises:
            PagePulseError: it was refused.
        """
        Thread(target=self._run, name="audit", daemon=True).start()
        if self.over.wait(_REFUSAL_S) and self.error is not None:
            raise self.error
        return {_KEY: self}

    def _run(self) -> None:
        try:
            self.report = self.call()
        except PagePulseError as error:
            self.error = error
        finally:
            self.over.set()


def begin(backend: Backend) -> Mapping[str, Any]:
    """Begins an audit; the answer is for ``follow``. Raises a PagePulseError if it is refused."""
    return Audit(lambda: backend.control.verify(timeout=backend.settings.audit_timeout)).start()


def follow(answer: Mapping[str, Any]) -> None:
    """From now on this viewer is shown the audit in ``answer``, if there is one."""
    if _KEY in answer:
        st.session_state[_KEY] = answer[_KEY]


def is_running() -> bool:
    """Whether the audit that is followed goes on."""
    audit: Audit | None = st.session_state.get(_KEY)
    return audit is not None and not audit.over.is_set()


def draw(backend: Backend) -> None:
    """Draws the audit that is followed, if any."""
    audit: Audit | None = st.session_state.get(_KEY)
    if audit is None:
        return
    if not audit.over.is_set():
        state = backend.cache.read(_KEY, backend.control.audit).value or {}
        st.info(progress(state, (monotonic() - audit.began) * 1000), icon="spinner")
    elif audit.report is None:
        st.error(f"Verify failed: {plain(audit.error.detail) if audit.error else 'no report'}", icon=":material/block:")
    else:
        equal, words = verdict(audit.report)
        (st.success if equal else st.error)(words, icon=":material/check:" if equal else ":material/block:")
        st.dataframe(table(audit.report), hide_index=True, width="stretch")


def progress(state: Mapping[str, Any], took_ms: float) -> str:
    """A sentence about an audit that runs."""
    read = state.get("records_read")
    words = f"Verify: {state.get('phase') or 'starting'}"
    return (
        f"{words}, {plural(read, 'record')} so far ({duration(took_ms)})" if read else f"{words} ({duration(took_ms)})"
    )


def verdict(report: Mapping[str, Any]) -> tuple[bool, str]:
    """Whether all is equal, and one sentence."""
    tables = report.get("tables") or []
    compared = sum(int(entry.get("compared") or 0) for entry in tables)
    wrong = [f"{entry.get('table')} in {_side(entry)}" for entry in tables if any(entry.get(count) for count in _WRONG)]
    records = sum((report.get("records") or {}).values())
    basis = f"recomputed from {plural(records, 'record')} in {duration(report.get('took_ms'))}"
    if report.get("verdict") == "not_caught_up":
        late = ", ".join(report.get("behind") or {})
        return False, f"Not caught up: {late} had not read everything yet. Verify again in a moment."
    if wrong:
        return False, f"{', '.join(wrong)} {'differs' if len(wrong) == 1 else 'differ'} from what was {basis}."
    return bool(report.get("ok", True)), f"{plural(compared, 'row')} compared, all equal to what was {basis}."


def table(report: Mapping[str, Any]) -> pd.DataFrame:
    """The report for people: one line per table and side."""
    counts = ("compared", "equal", *_WRONG, "unsure", "skipped", "late")
    return pd.DataFrame(
        [
            {"Table": entry.get("table"), "Side": _side(entry)}
            | {name.capitalize(): number(entry.get(name)) for name in counts}
            for entry in report.get("tables") or []
        ]
    )


def _side(entry: Mapping[str, Any]) -> str:
    side = str(entry.get("side"))
    return _SIDES.get(side, side)
