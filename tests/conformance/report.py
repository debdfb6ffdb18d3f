"""The table of results, and the JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from benchmarks.document import table
from tests.conformance.cases import Result


def summary(results: Sequence[Result]) -> dict[str, Any]:
    """``totals.outputs``, ``totals.errors`` and one entry per file."""
    return {
        "totals": _count(results),
        "files": {file: _file(results, file) for file in dict.fromkeys(r.file for r in results)},
    }


def _count(results: Sequence[Result]) -> dict[str, Any]:
    outputs = [r for r in results if not r.must_fail]
    errors = [r for r in results if r.must_fail]
    return {
        "outputs": {"cases": len(outputs), "passed": sum(r.passed for r in outputs)},
        "errors": {
            "cases": len(errors),
            "passed": sum(r.passed for r in errors),
            "same_message": sum(r.same_message for r in errors),
        },
    }


#: so many failures are named one by one
_FEW = 20


def _file(results: Sequence[Result], file: str) -> dict[str, Any]:
    mine = [r for r in results if r.file == file]
    return {**_count(mine), "failed": [{"name": r.name, "why": r.why} for r in mine if not r.passed]}


def as_text(results: Sequence[Result], *, verbose: bool) -> str:
    """One line per file, the failures, the totals."""
    data = summary(results)
    lines = []
    for file, entry in data["files"].items():
        cases = entry["outputs"]["cases"] + entry["errors"]["cases"]
        passed = entry["outputs"]["passed"] + entry["errors"]["passed"]
        lines.append(f"{file:<36} {passed:>3} passed {cases - passed:>3} failed")
        if verbose:
            lines += [f"    {failure['name']}: {failure['why']}" for failure in entry["failed"]]
    totals = data["totals"]
    lines.append(f"outputs: {totals['outputs']['passed']} of {totals['outputs']['cases']} passed")
    errors = totals["errors"]
    lines.append(
        f"errors: {errors['passed']} of {errors['cases']} failed as they must, {errors['same_message']} with the same message"
    )
    return "\n".join(lines)


def as_markdown(results: Sequence[Result]) -> str:
    """The section for docs/ksql.md: totals, then a table with one row per file."""
    data = summary(results)
    outputs, errors = data["totals"]["outputs"], data["totals"]["errors"]
    rows = [
        [
            f"`{file}`",
            f"{entry['outputs']['passed']} of {entry['outputs']['cases']}",
            f"{entry['errors']['passed']} of {entry['errors']['cases']}" if entry["errors"]["cases"] else "",
            str(entry["errors"]["same_message"]) if entry["errors"]["cases"] else "",
        ]
        for file, entry in data["files"].items()
    ]
    failed = [f"- `{file}`, {case['name']}" for file, entry in data["files"].items() for case in entry["failed"]]
    return "\n\n".join(
        [
            "Made by `python -m tests.conformance --cases DIR --docs docs/ksql.md`.",
            f"Cases with outputs: **{outputs['passed']} of {outputs['cases']}** give every record in order. Cases that must "
            f"fail: **{errors['passed']} of {errors['cases']}** do, {errors['same_message']} with the same message.",
            _not_passed(failed),
            table(["file", "outputs", "errors", "same message"], rows),
        ]
    )


def _not_passed(failed: Sequence[str]) -> str:
    if not failed:
        return "All pass."
    if len(failed) > _FEW:
        return f"{len(failed)} cases do not pass: the table says in which files, `--verbose` says why."
    return "Not passed:\n\n" + "\n".join(failed)
