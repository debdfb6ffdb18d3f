"""An application's OpenAPI document as Schemathesis checks it: as patient as the other tests."""

from __future__ import annotations

import schemathesis
from fastapi import FastAPI
from schemathesis.specs.openapi.schemas import OpenApiSchema

from tests.patience import STEP_S

#: what is too long is refused before it is compared with the document
_TOO_LONG = ("413", "414", "431")


def contract(app: FastAPI) -> OpenApiSchema:
    schema = schemathesis.openapi.from_dict(app.openapi())
    schema.config.request_timeout = STEP_S
    rejection = schema.config.checks.negative_data_rejection
    rejection.expected_statuses = [*rejection.expected_statuses, *_TOO_LONG]
    return schema
