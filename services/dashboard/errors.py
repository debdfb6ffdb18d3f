"""What can go wrong between the dashboard and what it shows."""

from __future__ import annotations

from shared.errors import Unavailable, UpstreamError


class PinotUnavailable(Unavailable):
    """Pinot's broker cannot be reached, or was too slow."""


class TableMissing(UpstreamError):
    """Pinot has no such table (yet): the pipeline is not provisioned."""


class QueryFailed(UpstreamError):
    """Pinot answered with an error."""
