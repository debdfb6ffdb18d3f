"""JSON inside texts. A text that is not JSON, or a path that leads nowhere, gives NULL."""

from __future__ import annotations

import re
from typing import Any

from services.ksql.functions.definitions import scalar
from services.ksql.functions.exact_json import dumps, loads

_KIND = "JSON"
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]|\['([^']*)'\]")


def _steps(path: str) -> list[str | int] | None:
    if not path.startswith("$"):
        return None
    steps: list[str | int] = []
    position = 1
    while position < len(path):
        found = _STEP.match(path, position)
        if found is None:
            return None
        steps.append(int(found[2]) if found[2] is not None else found[1] if found[1] is not None else found[3])
        position = found.end()
    return steps


@scalar("EXTRACTJSONFIELD", "STRING, STRING -> STRING", category=_KIND)
def extract_json_field(input: str, path: str) -> str | None:  # noqa: A002
    """What a JSON path ($.a.b[0]) leads to: a text as it is, anything else as JSON."""
    steps = _steps(path)
    if steps is None:
        return None
    try:
        value = loads(input)
        for step in steps:
            if isinstance(step, int) != isinstance(value, list):
                return None
            value = value[step]
    except (ValueError, KeyError, IndexError, TypeError):
        return None
    return None if value is None else value if isinstance(value, str) else dumps(value)


@scalar("IS_JSON_STRING", "STRING -> BOOLEAN", category=_KIND, nulls=True)
def is_json_string(input: str | None) -> bool:  # noqa: A002
    """Whether the text is JSON."""
    if input is None:
        return False
    try:
        loads(input)
    except ValueError:
        return False
    return True


@scalar("JSON_ARRAY_LENGTH", "STRING -> INTEGER", category=_KIND)
def json_array_length(jsonArray: str) -> int | None:  # noqa: N803
    """How many elements a JSON array has; NULL for anything else."""
    value = loads(jsonArray)
    return len(value) if isinstance(value, list) else None


@scalar("JSON_KEYS", "STRING -> ARRAY<STRING>", category=_KIND)
def json_keys(jsonObj: str) -> list[str] | None:  # noqa: N803
    """The field names of a JSON object; NULL for anything else."""
    value = loads(jsonObj)
    return list(value) if isinstance(value, dict) else None


@scalar("JSON_CONCAT", "STRING... -> STRING", category=_KIND)
def json_concat(*jsonStrings: str) -> str | None:  # noqa: N803
    """Objects merged, or arrays joined."""
    values = [loads(text) for text in jsonStrings]
    if all(isinstance(v, dict) for v in values):
        return dumps({k: v for value in values for k, v in value.items()})
    return dumps([item for v in values for item in (v if isinstance(v, list) else [v])])


@scalar("TO_JSON_STRING", "T -> STRING", category=_KIND, nulls=True)
def to_json_string(val: Any) -> str:
    """The value as JSON."""
    return dumps(val)
