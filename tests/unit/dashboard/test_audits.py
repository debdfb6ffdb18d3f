"""What is made of the provisioner's audits; the reports are of the provisioner's own form."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from threading import Event
from typing import Any

import pytest

from services.dashboard import audits
from services.dashboard.audits import Audit
from services.provisioner.schemas import AuditOut, AuditState, TableAudit
from shared.errors import Conflict, UpstreamError
from tests.patience import STEP_S


def entry(table: str, side: str, **counts: int) -> TableAudit:
    none = dict.fromkeys(("compared", "equal", "missing", "extra", "different", "unsure", "skipped", "late"), 0)
    return TableAudit.model_validate({"table": table, "side": side, "examples": [], **none, **counts})


def report(*tables: TableAudit) -> dict[str, Any]:
    ok = not any(t.missing or t.extra or t.different for t in tables)
    out = AuditOut(
        ok=ok,
        verdict="equal" if ok else "different",
        behind={},
        started_at=datetime.now(UTC),
        took_ms=2_500,
        records={"topic1_PageView": 900, "topic3_Users": 100},
        unreadable={},
        rewritten={},
        undecodable={},
        tables=list(tables),
    )
    return out.model_dump(mode="json")


def test_all_equal() -> None:
    found = report(
        entry("pageview_country", "sink", compared=1200, equal=1200), entry("pageview_country", "pinot", compared=34)
    )
    assert audits.verdict(found) == (
        True,
        "1,234 rows compared, all equal to what was recomputed from 1,000 records in 2.5 s.",
    )


def test_what_differs_is_named_with_its_side() -> None:
    wrong = entry("pageview_session", "pinot", compared=9, equal=8, extra=1)
    equal, words = audits.verdict(report(entry("pageview_session", "sink", compared=9, equal=9), wrong))
    assert not equal
    assert words.startswith("pageview_session in Pinot differs from what was recomputed")


def test_not_caught_up_is_neither_right_nor_wrong() -> None:
    found = report(entry("pageview_session", "sink", compared=9, missing=9))
    found |= {"ok": None, "verdict": "not_caught_up", "behind": {"pageview_session": 40}}
    assert audits.verdict(found) == (
        False,
        "Not caught up: pageview_session had not read everything yet. Verify again in a moment.",
    )


def test_the_table_has_every_count() -> None:
    rows = audits.table(report(entry("pageview_country", "sink", compared=1200, equal=1199, missing=1, late=3)))
    assert rows.to_dict("records") == [
        {"Table": "pageview_country", "Side": "Kafka", "Compared": "1,200", "Equal": "1,199", "Missing": "1"}
        | {"Extra": "0", "Different": "0", "Unsure": "0", "Skipped": "0", "Late": "3"}
    ]


def test_progress() -> None:
    state = AuditState(
        running=True, id="a1", phase="reading the source topics", records_read=12_000, problem=None, last=None
    )
    words = audits.progress(state.model_dump(), 4_200)
    assert words == "Verify: reading the source topics, 12,000 records so far (4.2 s)"
    assert audits.progress({}, 100) == "Verify: starting (100 ms)"


def test_a_long_audit_goes_on_after_the_click(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audits, "_REFUSAL_S", 0.01)
    go = Event()

    def call() -> Mapping[str, Any]:
        assert go.wait(STEP_S)
        return {"tables": []}

    audit = Audit(call)
    assert audit.start() == {"audit": audit}
    assert not audit.over.is_set()
    go.set()
    assert audit.over.wait(STEP_S)
    assert (audit.report, audit.error) == ({"tables": []}, None)


def test_a_refusal_is_the_answer_to_the_click(monkeypatch: pytest.MonkeyPatch) -> None:
    def call() -> Mapping[str, Any]:
        raise Conflict("provisioner: An audit is in progress.")

    monkeypatch.setattr(audits, "_REFUSAL_S", STEP_S)  # "at once" on a busy machine
    with pytest.raises(Conflict, match="in progress"):
        Audit(call).start()


def test_a_failure_later_on_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audits, "_REFUSAL_S", 0.01)
    go = Event()

    def call() -> Mapping[str, Any]:
        assert go.wait(STEP_S)
        raise UpstreamError("provisioner: Kafka is unavailable.")

    audit = Audit(call)
    audit.start()
    go.set()
    assert audit.over.wait(STEP_S)
    assert audit.error is not None
    assert audit.report is None
