"""Dates, times and numbers as a JVM has them, against what one answered (``tests/data/java-time/JavaTime.java`` made the file)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from services.ksql.functions.java_time import Moment, date_parser, formatter, time_parser, timestamp_parser, zone_of
from services.ksql.functions.numbers import java_double, parse_double, parse_whole

_RECORDED = Path(__file__).parents[3] / "data" / "java-time" / "java-time.tsv"
_ANSWERS: dict[str, Callable[[str, str, str], object]] = {
    "parse_timestamp": lambda pattern, text, zone: timestamp_parser(pattern)(text, zone_of(zone)),
    "parse_date": lambda pattern, text, _: date_parser(pattern)(text),
    "parse_time": lambda pattern, text, _: time_parser(pattern)(text),
    "format_timestamp": lambda pattern, text, zone: formatter(pattern).format(
        Moment.at_millis(int(text), zone_of(zone))
    ),
    "format_date": lambda pattern, text, _: formatter(pattern).format(Moment(days=int(text))),
    "format_time": lambda pattern, text, _: formatter(pattern).format(Moment(nanos=int(text))),
    "parse_int": lambda _, text, __: parse_whole(_plain(text), 32),
    "parse_long": lambda _, text, __: parse_whole(_plain(text), 64),
    "parse_double": lambda _, text, __: java_double(parse_double(_plain(text))),
}


def _plain(text: str) -> str:
    return text.replace("\\t", "\t").replace("\\n", "\n")


def differences(recorded: Path) -> list[str]:
    """The lines of ``recorded`` that are answered differently here."""
    found = []
    for line in recorded.read_text(encoding="utf-8").split("\n"):
        if not line:
            continue
        kind, pattern, text, zone, expected = line.split("\t")
        try:
            answer = str(_ANSWERS[kind](pattern, text, zone))
        except ValueError:
            answer = "!"
        if answer != expected:
            found.append(f"{kind} {pattern!r} {text!r} {zone}: {answer!r}, a JVM says {expected!r}")
    return found


def test_every_recorded_answer() -> None:
    assert differences(_RECORDED) == []
