"""What the provisioner answers and accepts."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from services.provisioner.plan import Plan
from services.provisioner.resource import Action, Kind, Observation, Resource, State
from services.provisioner.runs import RunKind
from services.provisioner.status import Overall, PipelineStatus
from services.provisioner.verify.report import AuditReport, Side, TableReport


class _FromAttributes(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class DifferenceOut(_FromAttributes):
    """A field that is not as desired. Secrets are masked."""

    field: str = Field(examples=["config.retention.ms"])
    desired: str | None = Field(examples=["604800000"])
    actual: str | None = Field(examples=["3600000"])


class ResourceStatus(BaseModel):
    """One resource as it is now."""

    kind: Kind
    name: str = Field(examples=["pageview_tumbling"])
    state: State = Field(
        description="drifted: there, but not as desired; failed: not working; unknown: its server could not be asked"
    )
    detail: str = Field(examples=["CTAS_PAGEVIEW_TUMBLING_11 is RUNNING"])
    differences: list[DifferenceOut] = Field(default_factory=list)
    facts: dict[str, Any] = Field(
        default_factory=dict,
        description="What is known beyond that: partitions, replicas, task states, lag, dropped records, offsets; rate_per_s: "
        "records per second that a source topic takes in, a query reads or a Pinot table takes in, over the last looks; "
        "written_per_s: those that a query writes to its topic; null at the first look",
        examples=[{"query_id": "CTAS_PAGEVIEW_TUMBLING_11", "state": "RUNNING", "lag": 0, "dropped": 0}],
    )

    @classmethod
    def of(cls, resource: Resource, observation: Observation) -> ResourceStatus:
        return cls(
            kind=resource.kind,
            name=resource.name,
            state=observation.state,
            detail=observation.detail,
            differences=[DifferenceOut.model_validate(difference) for difference in observation.differences],
            facts=dict(observation.facts),
        )


class StatusOut(BaseModel):
    """The pipeline's state. It is always an answer: a server that is away makes its resources ``unknown``."""

    looked_at: datetime = Field(
        description="When the servers were asked. Callers share a look that is under way or ended at most PAGEPULSE_STATUS_MAX_AGE "
        "(0.5 s) ago; it is never older than the end of the last run"
    )
    ready: bool = Field(description="Every resource is ok")
    state: Overall
    freshness_ms: int | None = Field(
        description="Age of the newest event that a query on Pinot can see; null if there is none. Grows while no events are made",
        examples=[420],
    )
    resources: list[ResourceStatus]

    @classmethod
    def of(cls, status: PipelineStatus) -> StatusOut:
        return cls(
            looked_at=status.looked_at,
            ready=status.overall is Overall.READY,
            state=status.overall,
            freshness_ms=status.freshness_ms,
            resources=[ResourceStatus.of(resource, observation) for resource, observation in status.entries],
        )


class PlannedStep(BaseModel):
    """What an apply would do about one resource."""

    resource: str = Field(examples=["query:pageview_tumbling"])
    kind: Kind
    name: str
    action: Action = Field(
        description="update: in place; replace: remove and make anew; drifted: the definition is right, what runs is mended; "
        "unknown: its server could not be asked"
    )
    reason: str = Field(examples=["its query was terminated"])
    depends_on: list[str]
    differences: list[DifferenceOut]


class PlanOut(BaseModel):
    """Steps in the order of an apply."""

    changes: int = Field(description="Steps whose action is not 'unchanged'", examples=[0])
    steps: list[PlannedStep]

    @classmethod
    def of(cls, plan: Plan) -> PlanOut:
        return cls(
            changes=plan.changes,
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
    detail: str = Field(description="What was done", examples=["running"])
    error: str | None = Field(description="Why it failed")


class RunOut(_FromAttributes):
    """One apply or teardown."""

    id: str = Field(examples=["3f9c2a7be010"])
    kind: RunKind
    state: Literal["running", "succeeded", "failed"]
    started_at: datetime
    finished_at: datetime | None
    error: str | None = Field(description="Of the first step that failed")
    steps: list[RunStep]


class RunsOut(BaseModel):
    """Runs since the service started, newest first."""

    runs: list[RunOut]


class SampleOut(_FromAttributes):
    """A few rows of one topic, ksqlDB table or Pinot table."""

    name: str = Field(examples=["topic6_PageView_Tumbling"])
    read_by: str = Field(description="How the rows were had", examples=["topic"])
    rows: list[dict[str, Any]]
    error: str | None = Field(description="Why there are no rows")


class SamplesOut(_FromAttributes):
    """Rows of everything, keys and windows decoded; times in milliseconds since the epoch."""

    topics: list[SampleOut]
    ksql: list[SampleOut]
    pinot_tables: list[SampleOut]


class TeardownIn(BaseModel):
    """How much to take away."""

    model_config = ConfigDict(extra="forbid", strict=True)

    delete_topics: bool = Field(
        default=False,
        description="Also delete all records and the connector's position, so that the next apply starts from nothing",
    )


class ExampleOut(_FromAttributes):
    """One row that is not as it should be."""

    problem: Literal["missing", "extra", "different"]
    identity: str = Field(examples=["('Inbox', 1760000100000)"])
    expected: dict[str, Any] | None
    actual: dict[str, Any] | None


class ComparisonOut(_FromAttributes):
    """Rows by what was found."""

    compared: int
    equal: int
    missing: int = Field(description="Rows that must be there and are not")
    extra: int = Field(description="Rows that are there and must not be")
    different: int
    unsure: int = Field(description="Rows that may differ, because nobody can tell whether an event was too late")
    skipped: int = Field(description="Rows that events are still coming for, or that are older than what is kept")
    examples: list[ExampleOut] = Field(description="The first few rows that are not as they should be")


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

    ok: bool = Field(description="No row is missing, extra or different")
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
            started_at=report.started_at,
            took_ms=report.took_ms,
            records=report.records,
            unreadable=report.unreadable,
            rewritten={topic: RewrittenOut.model_validate(found) for topic, found in report.rewritten.items()},
            undecodable=dict(report.undecodable),
            tables=[TableAudit.of(table) for table in report.tables],
        )


class AuditState(BaseModel):
    """The audit that runs, and the last one that ended."""

    running: bool
    phase: str | None = Field(examples=["reading the source topics"])
    records_read: int | None
    last: AuditOut | None
