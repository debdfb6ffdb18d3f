"""Numbers in requests, as JSON schema has them: pydantic by itself takes "5" and true for numbers too."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field


def _a_number(value: object) -> object:
    if isinstance(value, str | bool):
        raise ValueError("must be an integer")  # noqa: TRY004 - pydantic turns only a ValueError into a problem
    return value


#: for an ``int`` field: takes 5 and 5.0, but neither "5" nor true. It comes after the field's bounds.
WHOLE = BeforeValidator(_a_number)

Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
