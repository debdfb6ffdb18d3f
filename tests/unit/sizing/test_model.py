"""The calculator: its arithmetic, and that the documentation holds what it says today."""

from __future__ import annotations

import re

import pytest
from click.testing import CliRunner

from benchmarks.footprint import SCALING
from benchmarks.sizes import sections
from deploy.local.cli import app
from deploy.sizing import facts as known
from deploy.sizing.model import size
from deploy.sizing.sheet import Sheet, figure

SMALL, LARGE = (1e3, 1e4), (1e6, 1e8)


def sheet(rate: float, users: float) -> Sheet:
    return size(rate, users, known.load())


def test_the_arithmetic_by_hand() -> None:
    found = sheet(*LARGE)
    assert found.value("page views") == pytest.approx(840_000)
    assert found.value("raw events") == pytest.approx((840_000 * 139 + 160_000 * 181) / 1e6)
    assert found.value("threads: hopping windows by source") == 2_100
    assert found.value("parts per source") == 700
    assert found.value("partitions per topic") == 840
    assert found.value("generator processes") == 5
    assert found.value("first copy") == pytest.approx(1e8 / 8_600 / 3_600)
    assert found.value("rows per hour") == 3 * 3 * 60 + (30 + 14) * 12 + 3 * 120


@pytest.mark.parametrize("rate", [1, 1e3, 1e5, 1e7])
def test_more_load_never_needs_less(rate: float) -> None:
    less, more = sheet(rate, 1e4), sheet(rate * 3, 1e5)
    assert all(a.value <= b.value for a, b in zip(less.lines, more.lines, strict=True))


def test_nothing_is_smaller_than_what_survives_a_failure() -> None:
    found = sheet(1, 1)
    assert (found.value("brokers"), found.value("nodes"), found.value("servers")) == (3, 2, 2)
    assert found.value("parts per source") == 1
    assert found.notes() == []


def test_what_cannot_work_as_it_is_says_so() -> None:
    notes = " ".join(sheet(*LARGE).notes())
    assert "user_id % 700" in notes
    assert "needs the real ksqlDB" in notes


def test_pinots_rows_do_not_grow_with_the_load() -> None:
    assert sheet(*SMALL).value("rows kept") == sheet(*LARGE).value("rows kept")


def test_every_fact_is_used_and_names_its_source() -> None:
    facts = known.load()
    size(*LARGE, facts)
    assert set(facts.used) == facts.names()
    kinds = re.compile(r"(measured|documented|derived|assumed|chosen)\b|shared/|services/|5 minutes by 1 minute")
    assert all(kinds.match(fact.source) for fact in facts.used.values())


def test_an_unknown_fact_is_an_error() -> None:
    with pytest.raises(AttributeError, match="no_such_fact"):
        _ = known.load().no_such_fact


@pytest.mark.parametrize(
    ("value", "text"),
    [(7, "7"), (1_260, "1,260"), (840_000, "840k"), (1e8, "100M"), (0.0529, "0.0529"), (30.041, "30"), (999.7, "1k")],
)
def test_figures_are_short(value: float, text: str) -> None:
    assert figure(value) == text


@pytest.mark.parametrize("name", sections())
def test_the_documentation_holds_what_the_calculator_says(name: str) -> None:
    text = SCALING.read_text()
    _, _, rest = text.partition(f"<!-- benchmark: {name} -->\n")
    assert rest.partition(f"\n<!-- end: {name} -->")[0] == sections()[name].strip(), (
        "python -m benchmarks.sizes --write-docs"
    )


def test_the_command_shows_every_step_and_the_sources() -> None:
    done = CliRunner().invoke(app, ["size", "--rate", "1e6", "--users", "1e8", "--sources"], env={"COLUMNS": "200"})
    assert done.exit_code == 0
    assert "2,100" in done.output
    assert "benchmarks.footprint" in done.output
    assert "! 3 keys can keep 3 threads busy" in done.output
