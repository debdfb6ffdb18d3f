"""What can be written as JSON, whatever somebody sent."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.json import dumps, renderable


@pytest.mark.parametrize(
    ("value", "rendered"),
    [
        ("src_\ud83e", r"src_\ud83e"),
        ("\U0001f600 é\0", "\U0001f600 é\0"),
        (float("nan"), "nan"),
        (float("-inf"), "-inf"),
        (10**30, "1" + "0" * 30),
        (b"a\xff", r"a\xff"),
        ({"\udc00": (1, {2.5})}, {r"\udc00": [1, [2.5]]}),
        ({7: None, (1,): False}, {"7": None, "(1,)": False}),
    ],
)
def test_what_json_cannot_hold_becomes_a_text(value: Any, rendered: Any) -> None:
    assert renderable(value) == rendered


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()) | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(categories=["Cs", "L"])), inner),
    max_leaves=10,
)


@given(anything)
def test_everything_can_be_written_in_both_ways(value: Any) -> None:
    rendered = renderable(value)
    assert json.loads(dumps(rendered)) == json.loads(json.dumps(rendered, allow_nan=False).encode())
