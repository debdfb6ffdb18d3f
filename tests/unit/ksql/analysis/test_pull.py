import pytest

from services.ksql.model.commands import PullQuery
from services.ksql.model.plan import OPEN, PullPlan, Range
from tests.unit.ksql.analysis.session import Session, with_sources


def session_with_tables() -> Session:
    session = with_sources()
    session.run(
        "CREATE TABLE counts AS SELECT page, COUNT(*) AS n FROM clicks GROUP BY page;"
        "CREATE TABLE windows AS SELECT page, COUNT(*) AS n FROM clicks WINDOW TUMBLING (SIZE 1 MINUTE) GROUP BY page;"
    )
    return session


def plan(text: str) -> PullPlan:
    return session_with_tables().expect(PullQuery, text).plan


def test_a_key_is_looked_up() -> None:
    found = plan("SELECT * FROM counts WHERE page = 'a' AND n > 1;")
    assert found.keys == (("a",),)
    assert found.where is not None
    assert [column.name for column in found.select] == ["PAGE", "N"]
    assert found.key_columns == ("PAGE",)


def test_several_keys() -> None:
    assert plan("SELECT n FROM counts WHERE page IN ('a', 'b', 'a');").keys == (("a",), ("b",))


def test_a_range_of_keys_and_a_scan() -> None:
    assert plan("SELECT n FROM counts WHERE page >= 'a' AND 'c' > page;").key_range == Range("a", True, "c", False)
    scan = plan("SELECT n FROM counts WHERE n > 1 OR page = 'a' LIMIT 7;")
    assert scan.keys is None and scan.key_range == OPEN and scan.limit == 7


def test_window_bounds() -> None:
    found = plan("SELECT * FROM windows WHERE page = 'a' AND WINDOWSTART >= '1970-01-01T00:01' AND WINDOWEND < 300000;")
    assert found.window_start == Range(60_000, True, None, True)
    assert found.window_end == Range(None, True, 300_000, False)
    assert [column.name for column in found.select] == ["PAGE", "WINDOWSTART", "WINDOWEND", "N"]
    assert found.key_columns == ("PAGE", "WINDOWSTART", "WINDOWEND")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "SELECT * FROM people;",
            "The `PEOPLE` table isn't queryable. To derive a queryable table, you can do "
            "'CREATE TABLE QUERYABLE_PEOPLE AS SELECT * FROM PEOPLE'.",
        ),
        ("SELECT page, COUNT(*) FROM counts GROUP BY page;", "Pull queries don't support GROUP BY clauses."),
        ("SELECT COUNT(*) FROM counts;", "Pull queries don't support GROUP BY clauses."),
        ("SELECT * FROM counts c JOIN windows w ON c.page = w.page;", "Pull queries don't support JOIN clauses."),
        ("SELECT nosuch FROM counts;", "Line: 1, Col: 8: SELECT column 'NOSUCH' cannot be resolved."),
        ("SELECT * FROM nosuch;", "Exception while preparing statement: NOSUCH does not exist."),
        (
            "SELECT * FROM counts WHERE page = 1;",
            "Error in WHERE expression: Cannot compare PAGE (STRING) to 1 (INTEGER) with EQUAL.",
        ),
    ],
)
def test_refusals(text: str, message: str) -> None:
    assert session_with_tables().error(text).message.startswith(message)


def test_a_table_without_its_query_is_not_queryable() -> None:
    session = session_with_tables()
    session.run("TERMINATE Q0;")
    assert "isn't queryable" in session.error("SELECT * FROM counts;").message
