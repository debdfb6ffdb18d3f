"""What can go wrong here, beyond ``shared.errors``.

PagePulseError
├── BrokenResource 500           a file of ours is wrong
├── UpstreamError 502
│   ├── StatementRejected        ksqlDB will not take the statement, and will not later either
│   └── StepFailed               a step of a run; the run is in the problem document
├── Conflict 409
│   ├── AlreadyThere             created by another client meanwhile
│   ├── RunInProgress            one apply or teardown at a time
│   └── AuditInProgress          one audit at a time: it holds the sources in memory
└── DeadlineExceeded 504
    └── NotReadyInTime           accepted, but not working before the deadline
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from shared.errors import Conflict, DeadlineExceeded, PagePulseError, TransientUpstreamError, Unavailable, UpstreamError

_log = structlog.get_logger(__name__)


class BrokenResource(PagePulseError):
    status, type, title = 500, "broken-resource", "A resource file of the provisioner is wrong"


class StatementRejected(UpstreamError):
    type, title = "statement-rejected", "ksqlDB refused a statement"


class StepFailed(UpstreamError):
    type, title = "step-failed", "A step of the run failed"


class AlreadyThere(Conflict):
    type, title = "already-there", "Already exists"


class RunInProgress(Conflict):
    type, title = "run-in-progress", "Another run is in progress"


class AuditInProgress(Conflict):
    type, title = "audit-in-progress", "Another audit is in progress"


class NotReadyInTime(DeadlineExceeded):
    type, title = "not-ready-in-time", "It did not become ready in time"


@contextmanager
def raised_as(kind: type[PagePulseError], *caught: type[PagePulseError]) -> Iterator[None]:
    """Gives ``caught`` errors of a server the meaning that they have for this request."""
    try:
        yield
    except caught as error:
        raise kind(error.detail, **error.extra) from error


@contextmanager
def translate_malformed_response(resource: str) -> Iterator[None]:
    """A response that lacks what it should have is an error of the server's: raises ``UpstreamError``."""
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        _log.warning("malformed response", resource=resource, exc_info=error)
        raise UpstreamError(
            f"{resource}: a server answered in an unknown form ({type(error).__name__}: {error})"
        ) from error


#: a step that fails so is worth another attempt
TRANSIENT = (TransientUpstreamError, Unavailable, DeadlineExceeded)
