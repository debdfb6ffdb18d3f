"""Resource files filled in with settings."""

from __future__ import annotations

from datetime import timedelta

import pytest
from pydantic import ValidationError

from services.provisioner.errors import BrokenResource
from services.provisioner.render import fill, load
from services.provisioner.settings import Settings
from services.provisioner.statements import canonical, describe_difference
from shared import dimension, topics
from shared.durations import require_whole_milliseconds, to_ksql
from tests import golden


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (timedelta(minutes=1), "1 MINUTE"),
        (timedelta(seconds=90), "90 SECONDS"),
        (timedelta(days=2), "2 DAYS"),
        (timedelta(hours=36), "36 HOURS"),
        (timedelta(milliseconds=1500), "1500 MILLISECONDS"),
    ],
)
def test_durations_in_the_largest_whole_unit(duration: timedelta, text: str) -> None:
    assert to_ksql(duration) == text


@pytest.mark.parametrize("duration", [timedelta(0), timedelta(seconds=-1), timedelta(microseconds=1500)])
def test_what_is_no_window_is_refused(duration: timedelta) -> None:
    with pytest.raises(ValueError, match="whole milliseconds"):
        require_whole_milliseconds(duration)


@pytest.mark.parametrize(
    "values",
    [
        {"hopping_advance": timedelta(minutes=6)},
        {"retention": timedelta(minutes=14)},
        {"tumbling_window": timedelta(0)},
        {"min_insync_replicas": 3, "replication_factor": 2},
        {"mysql_database": "x; drop"},
    ],
)
def test_settings_that_ksqldb_or_kafka_would_refuse_are_refused_first(values: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Settings.model_validate(values)


def test_everything_is_there() -> None:
    definitions = load(Settings())
    assert [t.name for t in definitions.topics] == [topics.PAGE_VIEW, topics.USER_SESSION, topics.USERS]
    assert all((t.partitions, t.replication_factor) == (5, 3) for t in definitions.topics)
    assert all(t.config["min.insync.replicas"] == "2" for t in definitions.topics)
    assert definitions.topics[2].config["cleanup.policy"] == "compact"
    assert [name for name, _ in definitions.statements][:3] == ["pageview", "usersession", "users"]
    assert len(definitions.statements) == 11
    assert len(definitions.pinot) == 6


def test_the_statements_are_the_recorded_ones_but_for_sizes_and_sinks() -> None:
    """With the recording's grace and no retention, ours are what a real ksqlDB accepted."""
    recorded = [f"CREATE{part}" for part in golden.text("pipeline.sql").split("CREATE")[1:]]
    ours = dict(load(Settings(grace=timedelta(minutes=2))).statements)
    # the recording is older than pages: without them one statement is the recorded one, the other that of the tumbling windows
    assert ours.pop("pageview_page").partition("\n")[2] == (
        ours["pageview_tumbling"]
        .partition("\n")[2]
        .replace("topic6_PageView_Tumbling", topics.PAGE_VIEW_PAGE)
        .replace("pageview_tumbling", "pageview_page")
        .replace("1 MINUTE", "5 MINUTES")
        .replace("source", "page")
    )
    ours["pageview"] = ours["pageview"].replace(",\n  page VARCHAR", "")
    for text, reference in zip(ours.values(), recorded, strict=True):
        bare = text.replace("RETENTION 1 DAY, ", "")
        for name in ("source", "device", "country"):
            # the recording counts texts as they are; alias and expression together stand for the plain column
            rule = dimension.ksql(name)
            bare = bare.replace(f"{rule} AS {name}", name).replace(rule, name)
        reference_bare = reference.partition("\n\n")[0].replace("RETENTION 1 DAY, ", "")
        found = describe_difference(canonical(reference_bare), canonical(bare))
        assert found == (), found


@pytest.mark.parametrize("table", load(Settings()).pinot, ids=lambda d: d.name)
def test_pinot_tables_upsert_on_dimension_and_window_start(table: object) -> None:
    definition = next(d for d in load(Settings()).pinot if d == table)
    schema, config = definition.schema, definition.table
    assert schema["schemaName"] == config["tableName"] == definition.name
    assert schema["primaryKeyColumns"][1] == "window_start"
    assert config["upsertConfig"] == {"mode": "FULL", "comparisonColumn": "updated_at"}
    assert config["routing"]["instanceSelectorType"] == "strictReplicaGroup"
    stream = config["ingestionConfig"]["streamIngestionConfig"]["streamConfigMaps"][0]
    assert stream["stream.kafka.isolation.level"] == "read_committed"
    names = [
        spec["name"]
        for kind in ("dimensionFieldSpecs", "metricFieldSpecs", "dateTimeFieldSpecs")
        for spec in schema[kind]
    ]
    assert names == [name.lower() for name in names]
    counted_by = schema["dimensionFieldSpecs"][0]
    assert counted_by["maxLength"] == dimension.PINOT_LENGTH, "Pinot must cut nothing that ksqlDB writes"
    assert config["tableIndexConfig"]["varLengthDictionaryColumns"] == [counted_by["name"]]
    statement = dict(load(Settings()).statements)[definition.name]
    assert all(f"`{name}`" in statement for name in names), "every column is projected under exactly its name"


def test_the_jdbc_variant_gives_the_same_records() -> None:
    debezium, jdbc = load(Settings()).connector, load(Settings(connector="users-source-jdbc")).connector
    for key in ("key.converter", "value.converter", "value.converter.schemas.enable", "transforms.route.replacement"):
        assert debezium[key] == jdbc[key]
    assert jdbc["connector.class"].startswith("io.confluent.connect.jdbc")


def test_a_password_cannot_break_out_of_its_string() -> None:
    settings = Settings.model_validate({"cdc_password": 'a", "tasks.max": "9$x'})
    connector = load(settings).connector
    assert connector["database.password"] == 'a", "tasks.max": "9$x'
    assert connector["tasks.max"] == "1"


@pytest.mark.parametrize("text", ["$nosuch", "lone $ sign"])
def test_an_unknown_placeholder_is_an_error(text: str) -> None:
    with pytest.raises(BrokenResource):
        fill(text, {"known": "1"}, "file")
