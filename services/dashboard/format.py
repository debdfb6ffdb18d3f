"""How numbers, durations and times are written on the pages."""

from __future__ import annotations

import re
from datetime import datetime
from zoneinfo import ZoneInfo

_MARKDOWN = re.compile(r"[\\`*_\[\]~$:<>|]")
#: what Streamlit makes a link of, also where its characters are escaped
_ADDRESS = re.compile(r"((?:https?://|www\.|(?<![-.\w+])[-.\w+]+@)[^\s`]*)", re.IGNORECASE)


def plain(text: str) -> str:
    """``text`` literally, in Markdown: text from outside gets no links, pictures or badges. Addresses become code, to be copied."""
    parts = _ADDRESS.split(text)
    return "".join(f"`{part}`" if at % 2 else _MARKDOWN.sub(r"\\\g<0>", part) for at, part in enumerate(parts))


def number(value: float | None) -> str:
    """1234567 -> "1,234,567"; None -> a dash."""
    if value is None:
        return "–"
    return f"{value:,.0f}" if abs(value) >= 10 or float(value).is_integer() else f"{value:,.1f}"


def short(value: float | None) -> str:
    """A number that must fit: from ten millions on in millions, 12345678 -> "12.35 M"."""
    if value is None or abs(value) < 10_000_000:
        return number(value)
    return f"{value / 1_000_000:,.2f} M"


def duration(milliseconds: float | None) -> str:
    """850 -> "850 ms"; 12300 -> "12.3 s"; 200000 -> "3 min 20 s"."""
    if milliseconds is None:
        return "–"
    if milliseconds < 1000:
        return f"{max(0, milliseconds):.0f} ms"
    seconds = milliseconds / 1000
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def clock(at: float, zone: str) -> str:
    """Epoch seconds as "hh:mm:ss" in the viewer's zone."""
    return datetime.fromtimestamp(at, ZoneInfo(zone)).strftime("%H:%M:%S")


def moment(at_ms: float, zone: str) -> str:
    """Epoch milliseconds as "yyyy-mm-dd hh:mm:ss.mmm" in the viewer's zone; as they are where no calendar has them."""
    try:
        return datetime.fromtimestamp(at_ms / 1000, ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
    except (OverflowError, ValueError, OSError):
        return f"{at_ms} ms"


def plural(count: float, one: str, many: str | None = None) -> str:
    """plural(1, "user") -> "1 user"; plural(2, "user") -> "2 users"."""
    return f"{number(count)} {one if count == 1 else many or one + 's'}"
