import pytest

from services.ksql.model import typed_expressions as ex
from services.ksql.model.commands import InsertValues
from services.ksql.model.plan import NamedExpression
from services.ksql.model.types import BIGINT, DOUBLE, INTEGER
from tests.unit.ksql.analysis.session import Session, with_sources


def test_values_take_the_types_of_their_columns() -> None:
    command = with_sources().expect(InsertValues, "INSERT INTO orders (ROWTIME, id, price) VALUES (5, 1, 2);")
    assert command.values == (
        NamedExpression("ROWTIME", ex.TypedLiteral(5, BIGINT)),
        NamedExpression("ID", ex.TypedLiteral(1, INTEGER)),
        NamedExpression("PRICE", ex.TypedLiteral(2.0, DOUBLE)),
    )


def test_without_a_column_list_every_column_has_a_value() -> None:
    session = with_sources()
    assert [
        value.name for value in session.expect(InsertValues, "INSERT INTO orders VALUES (1, NULL, 2.5);").values
    ] == [
        "ID",
        "PERSON",
        "PRICE",
    ]
    assert "Expected a value for each column." in session.error("INSERT INTO orders VALUES (1);").message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "INSERT INTO orders (id, price) VALUES ('x', 1);",
            "Failed to insert values into 'ORDERS'. Expected type INTEGER for field `ID` but got STRING(x)",
        ),
        (
            "INSERT INTO orders (id) VALUES (3000000000);",
            "Failed to insert values into 'ORDERS'. Expected type INTEGER for field `ID` but got BIGINT(3000000000)",
        ),
        (
            "INSERT INTO orders (id, nosuch) VALUES (1, 1);",
            "Failed to insert values into 'ORDERS'. Column name `NOSUCH` does not exist.",
        ),
        (
            "INSERT INTO orders (id, price) VALUES (1);",
            "Failed to prepare statement: Expected number columns and values to match: 2, 1",
        ),
        (
            "INSERT INTO people (name) VALUES ('x');",
            "Failed to insert values into 'PEOPLE'. Value for primary key column(s) ID is required for tables",
        ),
        ("INSERT INTO nosuch VALUES (1);", "Cannot insert values into an unknown stream/table: `NOSUCH`"),
    ],
)
def test_refusals(text: str, message: str) -> None:
    assert with_sources().error(text).message == message


def test_a_name_in_another_case_is_suggested() -> None:
    session = Session()
    session.run("CREATE STREAM `lower` (a INT) WITH (kafka_topic='t', value_format='JSON');")
    assert session.error("INSERT INTO lower VALUES (1);").message.endswith(
        'Did you mean "lower"? Hint: wrap the source name in double quotes to make it case-sensitive.'
    )


def test_the_statement_of_an_error_hides_the_values() -> None:
    error = with_sources().error("INSERT INTO orders (id) VALUES ('secret');")
    assert error.statement == "INSERT INTO `ORDERS` (`ID`) VALUES ('[value]');"
