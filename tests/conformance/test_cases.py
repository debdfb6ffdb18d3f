"""The cases as a test: no fewer may pass than did before."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.conformance.cases import load, run
from tests.conformance.report import as_text, summary

_SHARED = Path(os.environ.get("PAGEPULSE_SHARED", Path(__file__).parents[3] / "shared"))
_CASES = _SHARED / "conformance" / "cases"

_OUTPUTS_AT_LEAST = 767
_ERRORS_AT_LEAST = 228
_SAME_MESSAGE_AT_LEAST = 227


@pytest.mark.skipif(not _CASES.is_dir(), reason=f"the query-validation cases are not at {_CASES} (PAGEPULSE_SHARED)")
def test_cases_pass() -> None:
    results = [run(file, case) for file, case in load(_CASES)]
    totals = summary(results)["totals"]
    report = as_text(results, verbose=True)
    assert totals["outputs"]["passed"] >= _OUTPUTS_AT_LEAST, report
    assert totals["errors"]["passed"] >= _ERRORS_AT_LEAST, report
    assert totals["errors"]["same_message"] >= _SAME_MESSAGE_AT_LEAST, report


def test_a_wrong_output_is_found() -> None:
    case = {
        "name": "wrong",
        "statements": [
            "CREATE STREAM s (k STRING KEY, v INT) WITH (kafka_topic='t', value_format='JSON');",
            "CREATE STREAM o AS SELECT k, v + 1 AS w FROM s;",
        ],
        "inputs": [{"topic": "t", "key": "a", "value": {"v": 1}}],
        "outputs": [{"topic": "O", "key": "a", "value": {"W": 3}}],
    }
    result = run("none", case)
    assert not result.passed
    assert "O[0]" in result.why
    case["outputs"] = [{"topic": "O", "key": "a", "value": {"W": 2}}]
    assert run("none", case).passed


def test_a_case_that_must_fail_and_does_not_is_found() -> None:
    statement = "CREATE STREAM s (k STRING KEY, v INT) WITH (kafka_topic='t', value_format='JSON');"
    wanted = {"message": "never"}
    result = run("none", {"name": "n", "statements": [statement], "expectedException": wanted})
    assert result.must_fail
    assert not result.passed
    result = run("none", {"name": "n", "statements": ["DROP STREAM nothing;"], "expectedException": wanted})
    assert result.passed
    assert not result.same_message
