import pytest

from services.ksql.model.commands import CreateSource, NothingToDo
from services.ksql.model.schema import Format, KeyWindow, SourceKind, TimestampColumn, WindowType
from tests.unit.ksql.analysis.session import Session, with_sources

MINIMUM = "CREATE STREAM s (k INT KEY, v STRING) WITH (kafka_topic='t'"


def test_everything_a_with_clause_can_say() -> None:
    source = (
        Session()
        .expect(
            CreateSource,
            "CREATE STREAM s (k STRING KEY, ts STRING, `n` INT) WITH (kafka_topic='t', key_format='DELIMITED', key_delimiter='TAB', "
            "value_format='JSON', partitions=3, replicas=2, retention_ms=1000, timestamp='ts', timestamp_format='yyyy', "
            "window_type='hopping', window_size='10 seconds');",
        )
        .source
    )
    assert source.kind is SourceKind.STREAM
    assert source.key_format == Format("DELIMITED", "\t")
    assert source.value_format == Format("JSON")
    assert (source.partitions, source.replicas, source.retention_ms) == (3, 2, 1000)
    assert source.timestamp == TimestampColumn("TS", "yyyy")
    assert source.window == KeyWindow(WindowType.HOPPING, 10_000)
    assert source.sql.startswith(
        "CREATE STREAM S (K STRING KEY, TS STRING, `n` INTEGER) WITH (KAFKA_TOPIC='t', KEY_DELIMITER='TAB'"
    )


def test_formats_come_from_the_defaults_where_not_given() -> None:
    session = Session(
        {"ksql.persistence.default.format.value": "DELIMITED", "ksql.persistence.default.format.key": "JSON"}
    )
    source = session.expect(CreateSource, f"{MINIMUM});").source
    assert (source.key_format.name, source.value_format.name) == ("JSON", "DELIMITED")


def test_header_columns_are_no_part_of_the_value() -> None:
    source = (
        Session()
        .expect(
            CreateSource,
            "CREATE STREAM s (a INT, h BYTES HEADER('trace')) WITH (kafka_topic='t', format='KAFKA');",
        )
        .source
    )
    assert [(column.name, column.header) for column in source.schema.value] == [("A", None), ("H", "trace")]
    assert Session().error(
        "CREATE STREAM s (h INT HEADER('x')) WITH (kafka_topic='t', value_format='JSON');"
    ).message == ("Invalid type for HEADER('x') column: expected BYTES, got INTEGER")


def test_one_format_for_both() -> None:
    source = Session().expect(CreateSource, f"{MINIMUM}, format='kafka');").source
    assert (source.key_format.name, source.value_format.name) == ("KAFKA", "KAFKA")


@pytest.mark.parametrize(
    ("with_clause", "config", "wraps"),
    [
        ("", "true", None),
        ("", "false", False),
        (", wrap_single_value=true", "false", True),
        (", wrap_single_value=false", "true", False),
    ],
)
def test_wrapping_of_a_single_value(with_clause: str, config: str, wraps: bool | None) -> None:
    session = Session({"ksql.persistence.wrap.single.values": config})
    assert (
        session.expect(CreateSource, f"{MINIMUM}, value_format='JSON'{with_clause});").source.value_format.wrap_single
        is wraps
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"{MINIMUM});", "Statement is missing the 'VALUE_FORMAT' property from the WITH clause."),
        (f"{MINIMUM}, value_format='XML');", "Unknown format: XML"),
        (
            f"{MINIMUM}, value_format='AVRO');",
            "The 'AVRO' format is not supported by this server: it needs a Schema Registry",
        ),
        (
            f"{MINIMUM}, value_format='JSON', foo='1');",
            "Failed to prepare statement: Invalid config variable(s) in the WITH clause: FOO",
        ),
        (
            f"{MINIMUM}, value_format='JSON', value_delimiter='|');",
            "JSON does not support the following configs: [delimiter]",
        ),
        (
            f"{MINIMUM}, value_format='DELIMITED', value_delimiter='||');",
            "Failed to prepare statement: Configuration VALUE_DELIMITER is invalid",
        ),
        (
            f"{MINIMUM}, value_format='KAFKA', wrap_single_value=true);",
            "Format 'KAFKA' does not support 'WRAP_SINGLE_VALUE' set to 'true'.",
        ),
        (
            f"{MINIMUM}, value_format='JSON', timestamp='x');",
            "The TIMESTAMP column set in the WITH clause does not exist in the schema: 'X'",
        ),
        (f"{MINIMUM}, value_format='JSON', timestamp='v');", "A String timestamp field has been specified without"),
        (
            f"{MINIMUM}, value_format='JSON', timestamp='k');",
            "Timestamp column, `K`, should be LONG(INT64), TIMESTAMP, or a String",
        ),
        (
            f"{MINIMUM}, value_format='JSON', window_type='TUMBLING');",
            "Failed to prepare statement: 'TUMBLING' windows require 'WINDOW_SIZE'",
        ),
        (
            f"{MINIMUM}, value_format='JSON', window_type='SESSION', window_size='1 second');",
            "Failed to prepare statement: 'WINDOW_SIZE' should not be set for 'SESSION' windows.",
        ),
        (
            f"{MINIMUM}, value_format='JSON', partitions='many');",
            "Failed to prepare statement: Invalid value many for configuration PARTITIONS",
        ),
        (
            f"{MINIMUM}, value_format='JSON', value_schema_id=1);",
            "The property VALUE_SCHEMA_ID needs a schema registry",
        ),
        ("CREATE STREAM s WITH (kafka_topic='t', value_format='KAFKA');", "No columns supplied."),
        ("CREATE STREAM s WITH (kafka_topic='t', value_format='JSON');", "The statement does not define any columns."),
        (
            "CREATE TABLE s (v INT) WITH (kafka_topic='t', value_format='JSON');",
            "Tables require a PRIMARY KEY. Please define the PRIMARY KEY.",
        ),
        (
            "CREATE STREAM s (a INT, a INT) WITH (kafka_topic='t', value_format='JSON');",
            "Failed to prepare statement: Duplicate column names: `A`",
        ),
        (
            "CREATE STREAM s (rowtime INT) WITH (kafka_topic='t', value_format='JSON');",
            "Failed to prepare statement: Line: 1, Col: 18: 'ROWTIME' is a reserved column name.",
        ),
        (
            "CREATE STREAM s (a INT, b INT) WITH (kafka_topic='t', value_format='KAFKA');",
            "Value format does not support schema.\nformat: KAFKA",
        ),
        (
            "CREATE STREAM s (a BOOLEAN KEY, b INT) WITH (kafka_topic='t', value_format='JSON');",
            "Key format does not support schema.\nformat: KAFKA",
        ),
        (
            "CREATE STREAM s (a INT) WITH (value_format='JSON');",
            'Failed to prepare statement: Missing required property "KAFKA_TOPIC"',
        ),
    ],
)
def test_refusals(text: str, message: str) -> None:
    assert Session().error(text).message.startswith(message)


def test_a_taken_name() -> None:
    session = with_sources()
    again = "(id INT PRIMARY KEY, x INT) WITH (kafka_topic='t', value_format='JSON');"
    assert session.error(f"CREATE TABLE clicks {again}").message == (
        "Cannot add table 'CLICKS': A stream with the same name already exists"
    )
    assert session.expect(NothingToDo, f"CREATE TABLE IF NOT EXISTS people {again}").message == (
        "Cannot add table `PEOPLE`: A table with the same name already exists."
    )


def test_or_replace_may_add_columns_at_the_end() -> None:
    session = with_sources()
    command = session.expect(
        CreateSource,
        "CREATE OR REPLACE TABLE places (id STRING PRIMARY KEY, country STRING, more INT) "
        "WITH (kafka_topic='places', value_format='JSON');",
    )
    assert command.replaces is not None
    assert session.schema("PLACES") == "ID STRING KEY, COUNTRY STRING, MORE INTEGER"


def test_or_replace_may_not_change_columns_or_topic() -> None:
    message = (
        with_sources()
        .error(
            "CREATE OR REPLACE TABLE places (id STRING PRIMARY KEY, country INT) WITH (kafka_topic='other', value_format='JSON');"
        )
        .message
    )
    assert message.startswith(
        "Cannot upgrade data source: DataSource '`PLACES`' has topic = KsqlTopic{kafkaTopicName='places'"
    )
    assert message.endswith("(The following columns are changed, missing or reordered: [`COUNTRY` STRING])")


def test_source_tables_are_not_replaced_nor_written() -> None:
    session = Session()
    create = "SOURCE TABLE t (k INT PRIMARY KEY, v INT) WITH (kafka_topic='t', value_format='JSON');"
    session.run(f"CREATE {create}")
    assert session.error(f"CREATE OR REPLACE {create}").message == (
        "Cannot add table 'T': CREATE OR REPLACE is not supported on source tables."
    )
    assert session.error("INSERT INTO t VALUES (1, 2);").message == "Cannot insert values into read-only table: T"
    assert session.error("DROP TABLE t DELETE TOPIC;").message == "Cannot delete topic for read-only source: T"


def test_drop_rules() -> None:
    session = with_sources()
    session.run("CREATE STREAM pages AS SELECT * FROM clicks;")
    assert session.error("DROP STREAM nosuch;").message == "Stream NOSUCH does not exist."
    assert session.error("DROP TABLE clicks;").message == (
        "Incompatible data source type is stream, but statement was DROP table"
    )
    assert session.error("DROP STREAM clicks;").message == (
        "Cannot drop CLICKS.\nThe following streams and/or tables read from this source: [PAGES].\n"
        "You need to drop them before dropping CLICKS."
    )
    session.run("DROP STREAM IF EXISTS nosuch;")
