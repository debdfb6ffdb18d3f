"""The OpenAPI document: FastAPI's, with the problems that every operation may answer."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from shared.problems import PROBLEM_JSON, Problem, problem_responses

#: what the middlewares answer, whatever the route
_ALWAYS = (403, 414, 431, 503)
#: broken JSON or text that is not UTF-8, a body that comes too slowly, one that is too large, one of another content type
_WITH_BODY = (400, 408, 413, 415)
_METHODS = frozenset({"get", "put", "post", "delete", "patch"})


def describe(app: FastAPI) -> dict[str, Any]:
    """The document of ``app``, made once. A route's own description of a status is kept."""
    if app.openapi_schema is None:
        document = get_openapi(title=app.title, version=app.version, summary=app.summary, routes=app.routes)
        components = document.setdefault("components", {})
        schemas = components.setdefault("schemas", {})
        schemas["Problem"] = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas.pop("HTTPValidationError", None)
        schemas.pop("ValidationError", None)
        common = {str(status): answer for status, answer in problem_responses(*_ALWAYS, *_WITH_BODY).items()}
        components["responses"] = {f"Problem{status}": answer for status, answer in common.items()}
        for path in document["paths"].values():
            for method, operation in path.items():
                if method in _METHODS:
                    _complete(operation, common["422"])
        app.openapi_schema = document
    return app.openapi_schema


def _complete(operation: dict[str, Any], invalid: dict[str, Any]) -> None:
    answers = operation.setdefault("responses", {})
    if PROBLEM_JSON not in answers.get("422", {}).get("content", {PROBLEM_JSON: {}}):
        answers["422"] = invalid
    for status in (*_ALWAYS, *(_WITH_BODY if "requestBody" in operation else ())):
        answers.setdefault(str(status), {"$ref": f"#/components/responses/Problem{status}"})
