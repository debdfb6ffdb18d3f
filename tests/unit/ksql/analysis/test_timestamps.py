import pytest

from services.ksql.analysis.expressions import parse_point_in_time
from services.ksql.errors import KsqlError


@pytest.mark.parametrize(
    ("text", "millis"),
    [
        ("1970", 0),
        ("1970-01-02", 86_400_000),
        ("1970-01-01T00:01", 60_000),
        ("1970-01-01T00:00:01.5", 1_500),
        ("1970-01-01 01:00:00+0100", 0),
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T00:00:00-00:30", 1_800_000),
    ],
)
def test_full_and_shortened_times(text: str, millis: int) -> None:
    assert parse_point_in_time(text) == millis


@pytest.mark.parametrize("text", ["yesterday", "2020-13-01", "", "2020-01-01T00:00:00 Nowhere/Land"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(KsqlError, match="Failed to parse timestamp"):
        parse_point_in_time(text)
