"""The control as an element of a page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import streamlit as st

_HERE: Final = Path(__file__).parent
_mount: Final = st.components.v2.component(
    "pagepulse_rate",
    html=(_HERE / "rate.html").read_text(),
    css=(_HERE / "rate.css").read_text(),
    js=(_HERE / "rate.js").read_text(),
    isolate_styles=False,
)
_HELP: Final = "Events per second, page views and logins together; 0 is full speed. A change acts at once while the generator runs."


def draw(rate: float, *, key: str, disabled: bool, on_change: Callable[[float], None]) -> bool:
    """Shows ``rate``; calls ``on_change`` with the one that the viewer chooses. Returns whether that has just happened."""

    def changed() -> None:
        chosen = st.session_state[key].get("rate")
        if chosen is not None:
            on_change(float(chosen))

    data = {"rate": rate, "disabled": disabled, "help": _HELP}
    return _mount(key=key, data=data, on_rate_change=changed).get("rate") is not None
