"""Charts over a dimension (source, country, device, tier): the top values, one "other", names that fit.

Values come from topics and may be any text, in any number. Every chart over a dimension goes through here, so that its height does not
depend on them: the largest ``top`` values are drawn, the rest together as "other"; a name is shortened, with the whole name on hover; a
value has the same colour on every chart (``palette.colour``).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

from services.dashboard import palette

#: values with a trace of their own: as many colours as can be distinguished
TOP: Final = 7
#: characters of a label, and of one on a chart as wide as the page
_WIDTH: Final = 22
_WIDE: Final = 56
#: characters of a line, and lines, of a whole name on hover
_LINE: Final = 60
_LINES: Final = 10
#: sums of these are meant for "other"; distinct users of several values may count a user more than once, as a stack of them does
_SUMMED: Final = ("view_count", "user_count", "session_count", "users")


@dataclass(frozen=True, slots=True)
class Series:
    """One value of a dimension on one chart; ``value`` is None for "other". ``label`` is unique in the chart."""

    value: str | None
    label: str
    whole: str
    colour: str
    rows: pd.DataFrame


def series(frame: pd.DataFrame, column: str, measure: str, *, top: int = TOP, summed: bool = True) -> list[Series]:
    """The rows of each of the top values by the sum of ``measure``, known values first, then "other".

    With ``summed`` the rows of "other" are added up by window; without, they are the rows of all the other values.
    """
    if frame.empty:
        return []
    totals = frame.groupby(column, dropna=False)[measure].sum()
    leading = _leading(totals, top)
    shown = palette.ordered(column, leading)
    rest = len(totals) - len(leading)
    labels = unique([shortened(value) for value in shown] + ([f"other ({rest:,})"] if rest else []))
    found = [
        Series(value, label, whole(value), palette.colour(column, value), frame[frame[column] == value])
        for value, label in zip(shown, labels, strict=False)
    ]
    if rest:
        others = frame[~frame[column].isin(leading)]
        words = f"{rest:,} other values, added up"
        found.append(Series(None, labels[-1], words, palette.OTHER, _by_window(others) if summed else others))
    return found


def ranked(window: pd.DataFrame, column: str, measure: str, *, top: int) -> pd.DataFrame:
    """The top values of one window and "other": the columns of ``window``, and label, wide_label, whole, is_other; largest first.

    The average age of "other" is the mean over its page views (or users, where there are no views).
    """
    ordered = window.sort_values([measure, column], ascending=[False, True], ignore_index=True)
    cut = len(ordered) if len(ordered) <= top + 1 else top
    leading, rest = ordered.head(cut), ordered.iloc[cut:]
    labels, wide = ([shortened(value, width) for value in leading[column]] for width in (_WIDTH, _WIDE))
    shown = leading.assign(whole=[whole(value) for value in leading[column]], is_other=False)
    if len(rest):
        other: dict[str, Any] = {name: rest[name].sum() for name in _SUMMED if name in rest}
        if "average_age" in rest:
            other["average_age"] = _mean_age(rest)
        if "open" in rest:
            other["open"] = bool(rest["open"].any())
        other |= {column: None, "whole": f"{len(rest):,} other values, added up", "is_other": True}
        shown = pd.concat([shown, pd.DataFrame([other])], ignore_index=True)
        for names in (labels, wide):
            names.append(f"other ({len(rest):,})")
    return shown.assign(label=unique(labels), wide_label=unique(wide))


def shortened(value: object, width: int = _WIDTH) -> str:
    """A name that fits: its beginning and its end; what cannot be seen is made visible."""
    text = _visible(value)
    if len(text) <= width:
        return text
    end = width // 3
    return f"{text[: width - end - 1]}…{text[-end:]}"


def whole(value: object) -> str:
    """The whole name for the hover, in lines of a bounded length and number."""
    text = _visible(value)
    lines = [text[at : at + _LINE] for at in range(0, len(text), _LINE)]
    if len(lines) > _LINES:
        lines = [*lines[: _LINES - 2], "…", lines[-1]]
    return "\n".join(lines)


def unique(labels: Iterable[str]) -> list[str]:
    """The labels, each once: plotly draws equal names on one place."""
    seen: dict[str, int] = {}
    found = []
    for label in labels:
        seen[label] = seen.get(label, 0) + 1
        found.append(label if seen[label] == 1 else f"{label} · {seen[label]}")
    return found


def _visible(value: object) -> str:
    if value is None or (isinstance(value, float) and pd.isna(value)):
        return "(none)"
    text = str(value)
    if not text:
        return "(empty)"
    if text.isspace():
        return f"(blank, {len(text)})"
    return "".join(letter if letter.isprintable() else f"\\x{ord(letter):02x}" for letter in text)


def _leading(totals: pd.Series[float], top: int) -> Sequence[str]:
    """One value more than ``top`` is drawn too: "other" would take its place and say less."""
    names = totals.sort_index().sort_values(ascending=False, kind="stable").index.tolist()
    return names if len(names) <= top + 1 else names[:top]


def _by_window(rows: pd.DataFrame) -> pd.DataFrame:
    sums = [name for name in _SUMMED if name in rows]
    by = ["window_start", "window_end", "open"]
    return rows.groupby(by, as_index=False)[sums].sum().sort_values(by, ignore_index=True)


def _mean_age(rows: pd.DataFrame) -> float:
    known = rows[rows["average_age"].notna()]
    weights = known["view_count"] if "view_count" in known else known["users"]
    total = float(weights.sum())
    return float((known["average_age"] * weights).sum()) / total if total else float("nan")
