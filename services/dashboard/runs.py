"""An apply or a teardown while it runs: how far it is, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import pandas as pd
import streamlit as st

from services.dashboard.backend import Backend
from services.dashboard.format import duration, plain
from services.dashboard.stale_cache import CachedResult

#: a run is over within a minute or so: look often
EVERY_S: Final = 1.0

_KEY: Final = "run"
_SIGNS: Final = {"pending": "○", "running": "◐", "done": "●", "failed": "■", "skipped": "–"}


def follow(run: Mapping[str, Any]) -> None:
    """From now on this viewer is shown the run with this ``id``."""
    if run.get("id") and "steps" in run:
        st.session_state[_KEY] = str(run["id"])


def draw(backend: Backend) -> None:
    """Draws the run that is followed, if any."""
    run_id = st.session_state.get(_KEY)
    if run_id is None:
        return
    reading: CachedResult[dict[str, Any]] = backend.cache.read(("run", run_id), lambda: backend.control.run(run_id))
    run = reading.value
    if run is None:
        st.warning(f"The run cannot be read: {plain(reading.error.detail) if reading.error else 'no answer yet'}")
        return
    done, total, words = progress(run)
    state = run.get("state")
    if state == "running":
        st.progress(done / total if total else 0.0, text=words)
    elif state == "failed":
        st.error(f"{words} {plain(str(run.get('error') or ''))}", icon=":material/block:")
    else:
        st.success(words, icon=":material/check:")
    with st.expander("Steps", expanded=state == "failed"):
        st.dataframe(table(run), hide_index=True, width="stretch")


def is_running(backend: Backend) -> bool:
    """Whether the run that is followed was still going when it was last observed."""
    run_id = st.session_state.get(_KEY)
    if run_id is None:
        return False
    run = backend.cache.read(("run", run_id), lambda: backend.control.run(run_id)).value
    return run is not None and run.get("state") == "running"


def progress(run: Mapping[str, Any]) -> tuple[int, int, str]:
    """Steps that are over, all steps, and a sentence."""
    steps = run.get("steps") or []
    over = [step for step in steps if step.get("state") in ("done", "skipped", "failed")]
    name = str(run.get("kind", "run")).capitalize()
    changed = sum(1 for step in steps if step.get("state") == "done" and step.get("action") != "unchanged")
    if run.get("state") == "failed":
        return len(over), len(steps), f"{name} failed after {len(over)} of {len(steps)} steps."
    if run.get("state") != "running":
        return len(over), len(steps), f"{name} is done: {len(steps)} steps, {changed} of them changed something."
    now = [str(step.get("resource")) for step in steps if step.get("state") == "running"]
    doing = f": {', '.join(now[:2])}" if now else ""
    return len(over), len(steps), f"{name}, {len(over)} of {len(steps)} steps{doing}"


def table(run: Mapping[str, Any]) -> pd.DataFrame:
    """The steps as a table for people."""
    return pd.DataFrame(
        [
            {
                "": _SIGNS.get(str(step.get("state")), "?"),
                "Part": step.get("resource"),
                "Action": step.get("action"),
                "Took": duration(step.get("took_ms")),
                "Detail": step.get("error") or step.get("detail") or "",
            }
            for step in run.get("steps") or []
        ]
    )
