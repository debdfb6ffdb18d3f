"""What the provisioner answers and accepts."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from services.provisioner.events import Event, EventKind
from services.provisioner.plan import Plan
from services.provisioner.resource import Action, Kind, State
from services.provisioner.runs import Audit, ChangeKind, RunState
from services.provisioner.verify.report import AuditReport, Side, TableReport, Verdict
from services.provisioner.watcher import Entry, Overall, PipelineStatus
from shared.errors import PagePulseError
from shared.json import dumps, renderable
from shared.problems import Problem

#: what servers and records say: nothing in it can make an answer impossible
Text = Annotated[str, BeforeValidator(renderable)]
Row = Annotated[dict[str, Any], BeforeValidator(renderable)]


class _FromAttributes(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class DifferenceOut(_FromAttributes):
    """A field that is not as desired. Secrets are masked."""

    field: Text = Field(examples=["config.retention.ms"])
    desired: Text | None = Field(examples=["604800000"])
    actual: Text | None = Field(examples=["3600000"])


class ResourceStatus(BaseModel):
    """One resource as last observed."""

    kind: Kind
    name: str = Field(examples=["pageview_tumbling"])
    state: State = Field(
        description="drifted: there, but not as desired; failed: not working; unknown: not observed yet, or no answer for "
        "PAGEPULSE_UNKNOWN_AFTER (30 s)"
    )
    detail: Text = Field(examples=["CTAS_PAGEVIEW_TUMBLING_11 is RUNNING"])
    observed_at: datetime | None = Field(description="When its server last answered; null if it never has")
    slow: bool = Field(description="Its server has not answered since; the state is the one of the last answer")
    differences: list[DifferenceOut] = Field(default_factory=list)
    facts: Row = Field(
        default_factory=dict,
        description="Details: partitions, replicas, task states, lag, dropped records, offsets; rate_per_s: "
        "records per second that a source topic takes in, a query reads or a Pinot table takes in, over the last looks; "
        "written_per_s: those that a query writes to its topic; null at the first look",
        examples=[{"query_id": "CTAS_PAGEVIEW_TUMBLING_11", "state": "RUNNING", "lag": 0, "dropped": 0}],
    )

    @classmethod
    def of(cls, entry: Entry) -> ResourceStatus:
        resource, observation = entry.resource, entry.observation
        return cls(
            kind=resource.kind,
            name=resource.name,
            state=observation.state,
            detail=observation.detail,
            observed_at=entry.observed_at,
            slow=entry.slow,
            differences=[DifferenceOut.model_validate(difference) for difference in observation.differences],
            facts=dict(observation.facts),
        )


class StatusOut(BaseModel):
    """The pipeline's state as observed in the background; an answer that asks no server, unless ?fresh=true."""

    age_ms: int | None = Field(
        description="Age of the oldest observation; null before all were observed", examples=[1400]
    )
    looked_at: datetime | None = Field(
        description="The oldest observation, never from before the end of the last run; null before all were observed"
    )
    ready: bool = Field(description="Every resource is ok")
    state: Overall = Field(
        description="absent: nothing of the pipeline is there; degraded: something is missing, drifted or does not work; changing: "
        "the same while an apply or a teardown runs; unknown: not observed yet, or something cannot be observed"
    )
    reason: Text = Field(description="Reason of the overall state", examples=["all 29 resources are ok"])
    freshness_ms: int | None = Field(
        description="Age that the newest event that a query on Pinot can see had when last observed; null if there is none. Grows "
        "while no events are made",
        examples=[420],
    )
    resources: list[ResourceStatus]

    @classmethod
    def of(cls, status: PipelineStatus) -> StatusOut:
        return cls(
            age_ms=_age_ms(status),
            looked_at=status.observed_at,
            ready=status.ready,
            state=status.overall,
            reason=status.reason,
            freshness_ms=status.freshness_ms,
            resources=[ResourceStatus.of(entry) for entry in status.entries],
        )


class StatusDocument:
    """``StatusOut`` as JSON. It is rendered once for each status, only its age anew for each answer."""

    def __init__(self) -> None:
        self._status: PipelineStatus | None = None
        self._rest = b""

    def render(self, status: PipelineStatus) -> bytes:
        if status is not self._status:
            self._status = status
            # orjson would write the same, but not every float and text that a server may have sent
            self._rest = dumps(StatusOut.of(status).model_dump(mode="json", exclude={"age_ms"}))[1:]
        age = _age_ms(status)
        return b'{"age_ms":%b,%b' % (b"null" if age is None else b"%d" % age, self._rest)


def _age_ms(status: PipelineStatus) -> int | None:
    if status.observed_at is None:
        return None
    return max(0, round((datetime.now(UTC) - status.observed_at).total_seconds() * 1000))


class EventOut(BaseModel):
    """One change of state."""

    id: int = Field(description="Grows; it is the time in epoch milliseconds, made unique", examples=[1760000100123])
    at: datetime
    at_ms: int = Field(description="The same in epoch milliseconds", examples=[1760000100123])
    kind: EventKind = Field(description="pipeline: the whole; server: one falls silent or answers again; else a run")
    title: Text = Field(description="In two or three words", examples=["Pipeline degraded"])
    detail: Text = Field(description="In one sentence")
    subject: Text = Field(examples=["the pipeline"])
    before: Text = Field(alias="from", description="Empty at the begin of a run", examples=["ready"])
    after: Text = Field(alias="to", examples=["degraded"])
    reason: Text = Field(examples=["connector:users-source is missing: there is no such connector"])

    model_config = ConfigDict(populate_by_name=True, from_attributes=True)


class EventsOut(BaseModel):
    """The newest events, oldest first."""

    events: list[EventOut]

    @classmethod
    def of(cls, events: list[Event]) -> EventsOut:
        names = ("id", "at", "at_ms", "kind", "title", "detail", "subject", "before", "after", "reason")
        return cls(events=[EventOut(**{name: getattr(event, name) for name in names}) for event in events])


class PlannedStep(BaseModel):
    """What an apply would do about one resource."""

    resource: str = Field(examples=["query:pageview_tumbling"])
    kind: Kind
    name: str
    action: Action = Field(
        description="update: in place; replace: remove and make anew; repair: the definition is right, what runs is resumed or restarted; "
        "unknown: it could not be seen, so nothing is planned for it"
    )
    reason: Text = Field(examples=["its query was terminated"])
    depends_on: list[str]
    differences: list[DifferenceOut]


class PlanOut(BaseModel):
    """Steps in the order of an apply."""

    changes: int = Field(description="Steps whose action is neither 'unchanged' nor 'unknown'", examples=[0])
    unseen: int = Field(
        description="Steps whose action is 'unknown': whether they need a change cannot be said", examples=[0]
    )
    steps: list[PlannedStep]

    @classmethod
    def of(cls, plan: Plan) -> PlanOut:
        return cls(
            changes=plan.changes,
            unseen=plan.unseen,
            steps=[
                PlannedStep(
                    resource=step.resource.id,
                    kind=step.resource.kind,
                    name=step.resource.name,
                    action=step.action,
                    reason=step.reason,
                    depends_on=list(step.resource.depends_on),
                    differences=[DifferenceOut.model_validate(d) for d in step.observation.differences],
                )
                for step in plan.steps
            ],
        )


class RunStep(_FromAttributes):
    """One step of a run."""

    resource: str = Field(examples=["connector:users-source"])
    action: str = Field(examples=["create"])
    state: Literal["pending", "running", "done", "failed", "skipped"]
    attempts: int = Field(description="Tries so far; 0 if there was nothing to do", examples=[1])
    started_at: datetime | None
    took_ms: int | None = Field(examples=[1830])
    detail: Text = Field(description="What was done", examples=["running"])
    error: Text | None = Field(description="Why it failed")


class RunOut(_FromAttributes):
    """One apply or teardown."""

    id: str = Field(examples=["3f9c2a7be010"])
    kind: ChangeKind
    state: RunState
    started_at: datetime
    finished_at: datetime | None
    error: Text | None = Field(description="Of the first step that failed")
    steps: list[RunStep]


class RunsOut(BaseModel):
    """Runs since the service started, newest first."""

    runs: list[RunOut]


class SampleOut(_FromAttributes):
    """A few rows of one topic, ksqlDB table or Pinot table."""

    name: str = Field(examples=["topic6_PageView_Tumbling"])
    read_by: str = Field(description="How the rows were had", examples=["topic"])
    rows: list[Row]
    error: Text | None = Field(description="Why there are no rows")


class SamplesOut(_FromAttributes):
    """Rows of everything, keys and windows decoded; times in milliseconds since the epoch."""

    topics: list[SampleOut]
    ksql: list[SampleOut]
    pinot_tables: list[SampleOut]


class TeardownIn(BaseModel):
    """What to remove."""

    model_config = ConfigDict(extra="forbid", strict=True)

    delete_topics: bool = Field(
        default=False,
        description="Also delete all records and the connector's position, so that the next apply starts from nothing",
    )


class ExampleOut(_FromAttributes):
    """One missing, extra or different row."""

    problem: Literal["missing", "extra", "different"]
    identity: Text = Field(examples=["('Inbox', 1760000100000)"])
    expected: Row | None
    actual: Row | None


class ComparisonOut(_FromAttributes):
    """Rows by what was found."""

    compared: int
    equal: int
    missing: int = Field(description="Rows that must be there and are not")
    extra: int = Field(description="Rows that are there and must not be")
    different: int
    unsure: int = Field(description="Rows that may differ, because it is unknown how late an event or a change was")
    skipped: int = Field(description="Rows that events are still coming for, or that are older than what is kept")
    examples: list[ExampleOut] = Field(description="The first few missing, extra or different rows")


class TableAudit(ComparisonOut):
    """One table on one side."""

    table: str = Field(examples=["pageview_tumbling"])
    side: Side = Field(description="The sink topic in Kafka, or the table in Pinot")
    late: int = Field(description="Pairs of event and window that were dropped as late, rightly")

    @classmethod
    def of(cls, report: TableReport) -> TableAudit:
        found = ComparisonOut.model_validate(report.comparison)
        return cls(table=report.table, side=report.side, late=report.late, **dict(found))


class RewrittenOut(_FromAttributes):
    """What the rule for dimensions did to a source topic."""

    records: int = Field(
        description="Records whose source, device or country is counted as another text: it is longer than 2,048 characters, or has a "
        "NUL character or half of a surrogate pair"
    )
    merged: int = Field(description="Names under which several different texts are counted")


class AuditOut(BaseModel):
    """What an audit found."""

    ok: bool | None = Field(
        description="No row is missing, extra or different; null: not caught up, so it cannot be said"
    )
    verdict: Verdict = Field(
        description="not_caught_up: rows differ, but only in tables whose queries have not read everything yet"
    )
    behind: dict[str, int] = Field(
        description="Records that queries had not read when the audit ended, by table; 0: it reads the result of a late one"
    )
    started_at: datetime
    took_ms: int
    records: dict[str, int] = Field(description="Records read, by source topic", examples=[{"topic1_PageView": 60000}])
    unreadable: dict[str, int] = Field(
        description="Of these, records that the pipeline skips: malformed, or too far ahead of the clock"
    )
    rewritten: dict[str, RewrittenOut] = Field(default_factory=dict, description="By source topic, where there are any")
    undecodable: dict[str, int] = Field(
        default_factory=dict,
        description="Records of a result topic that are not of its form, by topic: the pipeline has not written them",
    )
    tables: list[TableAudit]

    @classmethod
    def of(cls, report: AuditReport) -> AuditOut:
        return cls(
            ok=report.ok,
            verdict=report.verdict,
            behind=dict(report.behind),
            started_at=report.started_at,
            took_ms=report.took_ms,
            records=report.records,
            unreadable=report.unreadable,
            rewritten={topic: RewrittenOut.model_validate(found) for topic, found in report.rewritten.items()},
            undecodable=dict(report.undecodable),
            tables=[TableAudit.of(table) for table in report.tables],
        )


class AuditRun(BaseModel):
    """One audit: how far it is, then what it found or why it failed."""

    id: str = Field(examples=["3f9c2a7be010"])
    state: RunState = Field(description="succeeded: there is a report, whatever its verdict")
    started_at: datetime
    finished_at: datetime | None
    phase: str = Field(examples=["reading the source topics"])
    records_read: int
    problem: Problem | None = Field(description="Why it failed")
    report: AuditOut | None

    @classmethod
    def of(cls, audit: Audit) -> AuditRun:
        return cls(
            id=audit.id,
            state=cast(RunState, audit.state),
            started_at=audit.started_at,
            finished_at=audit.finished_at,
            phase=audit.progress.phase,
            records_read=audit.progress.records_read,
            problem=_problem(audit.problem, audit.id) if audit.problem else None,
            report=AuditOut.of(audit.report) if audit.report else None,
        )


def _problem(error: PagePulseError, run_id: str) -> Problem:
    return Problem(
        type=error.type,
        title=error.title,
        status=error.status,
        detail=renderable(error.detail),
        instance=f"/provisioner/verify/{run_id}",
    )


class AuditState(BaseModel):
    """The audit that runs, and the last report."""

    running: bool
    id: str | None = Field(description="Of the audit that runs, else of the newest", examples=["3f9c2a7be010"])
    phase: str | None = Field(examples=["reading the source topics"])
    records_read: int | None
    problem: Problem | None = Field(description="Why the newest audit failed, if it did")
    last: AuditOut | None = Field(description="The newest report")

    @classmethod
    def of(cls, current: Audit | None, newest: Audit | None, last: AuditReport | None) -> AuditState:
        return cls(
            running=current is not None,
            id=newest.id if newest else None,
            phase=current.progress.phase if current else None,
            records_read=current.progress.records_read if current else None,
            problem=_problem(newest.problem, newest.id) if newest and newest.problem else None,
            last=AuditOut.of(last) if last else None,
        )
