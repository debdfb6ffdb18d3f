"""What a source, device or country is counted as, and that KSQL, Java's rules and Python agree about it."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import dimension

#: characters on either side of every rule
TEXTS = st.lists(st.sampled_from(["a", "\0", "\n", "é", "\U0001f680", "\ud83e", "\udd14", "?"]), max_size=6).map(
    "".join
)


@pytest.mark.parametrize(
    "text",
    ["", " ", "Homepage", "thailand", "Thailand", "Thailand ", "ป้าย 🚀 ñ", "a\tb\n", "\x7f", "x" * 2048, "🚀" * 2048],
)
def test_an_ordinary_text_stays_as_it_is(text: str) -> None:
    assert dimension.apply(text) == text


def test_half_of_a_surrogate_pair_is_a_question_mark_and_nul_a_visible_sign() -> None:
    assert dimension.apply("src_\ud83e") == "src_?"
    assert dimension.apply("a\0b") == "a␀b"


def test_long_texts_that_differ_at_the_end_stay_apart_and_are_longer_than_any_that_was_kept() -> None:
    url = "https://example.org/?q=" + "x" * 5_000
    one, two = dimension.apply(url + "1"), dimension.apply(url + "2")
    assert one != two
    assert len(one) == len(two) == dimension.LONGEST + 3
    assert one.startswith(url[:1_948])
    assert one.endswith("x1")


@given(TEXTS, st.sampled_from([0, 2_040, 2_048, 3_000]))
def test_the_rule_is_what_its_ksql_says_and_may_be_applied_twice(text: str, more: int) -> None:
    """The functions of the expression, with Java's meaning: REPLACE, CHR and replaceAll with code points."""
    text += "x" * more
    expression = dimension.ksql("c")
    found = re.fullmatch(r"REGEXP_REPLACE\(REPLACE\(c, CHR\(0\), CHR\((\d+)\)\), '(.*)', '(.*)'\)", expression)
    assert found is not None
    replaced = text.encode(errors="replace").decode().replace("\0", chr(int(found[1])))
    once = re.sub(found[2], re.sub(r"\$(\d)", r"\\\1", found[3]), replaced)
    assert dimension.apply(text) == once
    assert dimension.apply(once) == once
    assert len(once.encode("utf-16-le")) // 2 <= dimension.PINOT_LENGTH
    once.encode()
