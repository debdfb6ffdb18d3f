import pytest

from services.ksql.model import typed_expressions as ex
from services.ksql.model.commands import CreateQuery
from services.ksql.model.plan import JoinStep, JoinType, ProjectStep, SourceStep
from services.ksql.model.schema import SourceKind
from services.ksql.model.types import INTEGER
from tests.unit.ksql.analysis.session import Session, with_sources


def join_of(session: Session, text: str) -> JoinStep:
    root = session.expect(CreateQuery, text).plan.root
    assert isinstance(root, ProjectStep) and isinstance(root.input, JoinStep)
    return root.input


def test_stream_table_join() -> None:
    session = with_sources()
    join = join_of(
        session, "CREATE STREAM x AS SELECT c.person, page, p.name FROM clicks c LEFT JOIN people p ON c.person = p.id;"
    )
    assert session.schema("X") == "PERSON INTEGER KEY, PAGE STRING, NAME STRING"
    assert (join.join_type, join.kind, join.foreign_key) == (JoinType.LEFT, SourceKind.STREAM, False)
    assert join.left_key == ex.ColumnRef("C_PERSON", INTEGER)
    assert join.right_key == ex.ColumnRef("P_ID", INTEGER)
    assert [column.name for column in join.schema.key] == ["C_PERSON"]
    assert isinstance(join.left, SourceStep)
    assert [column.name for column in join.left.schema.value] == [
        "C_ID",
        "C_PAGE",
        "C_PERSON",
        "C_SEEN",
        "C_ROWTIME",
        "C_ROWPARTITION",
        "C_ROWOFFSET",
    ]


def test_stream_stream_join_with_its_window() -> None:
    session = with_sources()
    join = join_of(
        session,
        "CREATE STREAM x AS SELECT * FROM clicks c JOIN orders o WITHIN (5 SECONDS, 1 MINUTE) GRACE PERIOD 0 SECONDS ON o.id = c.id;",
    )
    assert (join.before_ms, join.after_ms, join.grace_ms) == (5_000, 60_000, 0)
    assert session.schema("X") == (
        "C_ID INTEGER KEY, C_PAGE STRING, C_PERSON INTEGER, C_SEEN BIGINT, O_ID INTEGER, O_PERSON INTEGER, O_PRICE DOUBLE"
    )


def test_the_key_is_the_first_equal_column_that_is_selected() -> None:
    session = with_sources()
    session.run("CREATE STREAM x AS SELECT o.id, page FROM clicks c JOIN orders o WITHIN 1 DAY ON c.id = o.id;")
    assert session.schema("X") == "O_ID INTEGER KEY, PAGE STRING"


def test_only_names_that_clash_get_their_source() -> None:
    session = with_sources()
    session.run(
        "CREATE STREAM x AS SELECT c.id, c.page, o.person, o.ROWTIME FROM clicks c JOIN orders o WITHIN 1 DAY ON c.id = o.id;"
    )
    assert session.schema("X") == "C_ID INTEGER KEY, PAGE STRING, O_PERSON INTEGER, O_ROWTIME BIGINT"


def test_a_full_join_has_a_key_of_its_own() -> None:
    session = with_sources()
    session.run("CREATE STREAM x AS SELECT * FROM clicks c FULL OUTER JOIN orders o WITHIN 1 DAY ON c.id = o.id;")
    assert session.schema("X").startswith("ROWKEY INTEGER KEY, C_ID INTEGER, ")
    session.run(
        "CREATE STREAM y AS SELECT ROWKEY AS k, page FROM clicks c FULL JOIN orders o WITHIN 1 DAY ON c.id = o.id;"
    )
    assert session.schema("Y") == "K INTEGER KEY, PAGE STRING"


def test_foreign_key_join_keeps_the_left_primary_key() -> None:
    session = with_sources()
    join = join_of(
        session, "CREATE TABLE x AS SELECT pe.id, name, country FROM people pe JOIN places pl ON pe.place = pl.id;"
    )
    assert join.foreign_key
    assert [column.name for column in join.schema.key] == ["PE_ID"]
    assert session.schema("X") == "PE_ID INTEGER KEY, NAME STRING, COUNTRY STRING"


def test_three_sources() -> None:
    session = with_sources()
    join = join_of(
        session,
        "CREATE STREAM x AS SELECT p.id, page, price, name FROM clicks c JOIN orders o WITHIN 1 DAY ON c.id = o.id "
        "JOIN people p ON o.id = p.id;",
    )
    assert isinstance(join.left, JoinStep)
    assert session.schema("X") == "P_ID INTEGER KEY, PAGE STRING, PRICE DOUBLE, NAME STRING"


JOIN = "CREATE STREAM x AS SELECT * FROM "


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            JOIN + "clicks c JOIN orders o ON c.id = o.id",
            "Stream-stream joins must have a WITHIN clause specified. None was provided.",
        ),
        (
            JOIN + "clicks c JOIN people p WITHIN 1 DAY ON c.id = p.id",
            "A window definition was provided for a Stream-Table join.",
        ),
        (
            JOIN + "clicks c FULL JOIN people p ON c.id = p.id",
            "Invalid join type: full-outer join not supported for stream-table join. Got CLICKS [FULL] OUTER JOIN PEOPLE.",
        ),
        (
            JOIN + "people p JOIN clicks c ON c.id = p.id",
            "Invalid join order: table-stream joins are not supported; only stream-table joins. Got PEOPLE [INNER] JOIN CLICKS.",
        ),
        (
            JOIN + "clicks c JOIN people p ON c.page = p.name",
            "stream-table joins require to join on the table's primary key. Got C.PAGE = P.NAME.",
        ),
        (JOIN + "clicks c JOIN people p ON c.page = p.id", "Invalid join. Key types differ: STRING vs INTEGER"),
        (
            "CREATE TABLE x AS SELECT * FROM people p JOIN places q ON CAST(p.place AS INT) = q.id",
            "Invalid join condition: types don't match. Got CAST(P.PLACE AS INTEGER){INTEGER} = Q.ID{STRING}.",
        ),
        (
            "CREATE TABLE x AS SELECT * FROM people p RIGHT JOIN places q ON p.place = q.id",
            "RIGHT OUTER JOIN on a foreign key is not supported",
        ),
        (
            "CREATE TABLE x AS SELECT q.id FROM people p JOIN places q ON p.place = q.id",
            "Primary key column missing in projection. For foreign-key table-table joins, the projection must include all "
            "primary key columns from the left input table (`P`). Missing column: `ID`.",
        ),
        (JOIN + "clicks c JOIN people p ON c.id = 1", "Invalid comparison expression '1' in join '(C.ID = 1)'."),
        (JOIN + "clicks c JOIN people p ON c.id > p.id", "Only equality join criteria is supported."),
        (
            JOIN + "clicks c JOIN people p ON c.id = p.id AND c.id = p.id",
            "Invalid join condition: joins on multiple conditions are not yet supported. Got ((C.ID = P.ID) AND (C.ID = P.ID)).",
        ),
        (
            JOIN + "clicks c JOIN people p ON c.id = c.person",
            "Each side of the join must reference exactly one source and not the same source. Left side references `C`",
        ),
        (JOIN + "clicks c JOIN people p ON c.nosuch = p.id", "JOIN ON column 'C.NOSUCH' cannot be resolved."),
        (
            JOIN + "clicks c JOIN people p ON id = p.id",
            "Exception while preparing statement: Line: 1, Col: 60: Column 'ID' is ambiguous. Could be C.ID or P.ID.",
        ),
        (
            JOIN + "clicks a JOIN clicks b WITHIN 1 DAY ON a.id = b.id",
            "Can not join 'CLICKS' to 'CLICKS': self joins are not yet supported.",
        ),
        (
            "CREATE TABLE x AS SELECT * FROM people p FULL JOIN places q ON p.place = q.id",
            "full-outer join not supported",
        ),
        (
            "CREATE TABLE x AS SELECT * FROM people p JOIN places q ON p.place = q.country",
            "table-table joins require to join on the primary key of the right input table. Got P.PLACE = Q.COUNTRY.",
        ),
        (
            "CREATE STREAM x AS SELECT page FROM clicks c JOIN people p ON c.id = p.id",
            "must include the join expressions C.ID or P.ID in its projection (eg, SELECT C.ID...).",
        ),
        (
            "CREATE STREAM x AS SELECT c.* FROM clicks c FULL JOIN orders o WITHIN 1 DAY ON c.id = o.id",
            "ROWKEY was added as a synthetic key column",
        ),
        (
            "CREATE STREAM x AS SELECT c.id, ROWTIME FROM clicks c JOIN people p ON c.id = p.id",
            "Column 'ROWTIME' is ambiguous. Could be C.ROWTIME or P.ROWTIME.",
        ),
        (
            "CREATE TABLE x AS SELECT c.id, COUNT(*), WINDOWSTART AS w FROM clicks c JOIN people p ON c.id = p.id "
            "WINDOW TUMBLING (SIZE 1 DAY) GROUP BY c.id",
            "SELECT column 'WINDOWSTART' cannot be resolved.",
        ),
    ],
)
def test_refusals(text: str, message: str) -> None:
    assert message in with_sources().error(f"{text};").message


def test_windowed_sources_join_only_their_like() -> None:
    session = with_sources()
    for name, window in (("w", "window_type='SESSION'"), ("h", "window_type='HOPPING', window_size='1 second'")):
        session.run(
            f"CREATE STREAM {name} (id INT KEY, x INT) WITH (kafka_topic='{name}', value_format='JSON', {window});"
        )
    assert (
        "`W` is SESSION windowed\n`CLICKS` is not windowed"
        in session.error("CREATE STREAM x AS SELECT * FROM w JOIN clicks WITHIN 1 DAY ON w.id = clicks.id;").message
    )
    assert (
        "Incompatible windowed sources."
        in session.error("CREATE STREAM x AS SELECT * FROM w JOIN h WITHIN 1 DAY ON w.id = h.id;").message
    )
