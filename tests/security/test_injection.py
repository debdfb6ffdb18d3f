"""Every parameter that reaches a statement is bound, or is one of few values of our own."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest
from pydantic import SecretStr, ValidationError
from pymysql.converters import escape_item  # type: ignore[import-untyped]

from services.dashboard.queries import filled
from services.provisioner.render import load
from services.provisioner.settings import Settings as ProvisionerSettings
from services.seeder.settings import Settings as SeederSettings
from services.seeder.store import sql

INJECTIONS = (
    "x' OR '1'='1",
    "x'; DROP TABLE users; --",
    "\\' OR 1=1 --",
    "%(limit)s",
    "' UNION SELECT 1 --",
    "\u02bc OR 1=1",
)


def statements(package: str) -> dict[str, str]:
    """By file name, without comments."""
    found = [f for f in (files(package) / "sql").iterdir() if f.name.endswith(".sql")]
    return {f.name: re.sub(r"(?m)^--.*$", "", f.read_text()) for f in found}


def without_texts(statement: str) -> str:
    """A statement of Pinot without the quoted parts; a quote inside is doubled."""
    return re.sub(r"'(?:[^']|'')*'", "''", statement)


def test_the_seeders_statements_have_bound_parameters_only() -> None:
    for name, text in statements("services.seeder").items():
        left = re.sub(r"%\(\w+\)s|%s|\{users\}", "", text)
        assert not re.search(r"[{}%$]", left), name


def test_the_dashboards_statements_have_bound_parameters_only() -> None:
    for name, text in statements("services.dashboard").items():
        left = re.sub(r"%\((since|until|limit|countries|interval|windows)\)s", "", text)
        assert not re.search(r"[{}%$']", left), name


@pytest.mark.parametrize("value", INJECTIONS)
def test_a_country_stays_inside_its_quotes_in_pinot(value: str) -> None:
    """The names of countries come from the table of users, so any writer of it chooses them."""
    text = statements("services.dashboard")["leaders.sql"]
    sent = filled(text, {"since": 1, "until": 2, "limit": 3, "countries": ["Chile", value]})
    assert without_texts(sent) == without_texts(
        filled(text, {"since": 1, "until": 2, "limit": 3, "countries": ["Chile", "Peru"]})
    )


@pytest.mark.parametrize("value", INJECTIONS)
def test_a_filter_stays_inside_its_quotes(value: str) -> None:
    """As the driver puts it into the statement: once the quoted texts are taken out, nothing of it is left."""
    parameters = {"country": value, "subscription": None, "gender": None, "complete": None, "after": 0, "limit": 5}
    escaped = {name: escape_item(v, "utf8mb4") for name, v in parameters.items()}
    sent = sql("page") % escaped
    outside = re.sub(r"'(?:[^'\\]|\\.|'')*'", "", sent)
    harmless = sql("page") % (escaped | {"country": "''"})
    assert outside == harmless.replace("''", "")


@pytest.mark.parametrize("table", ["users; DROP TABLE users", "us`ers", "Users", "", "u" * 65, "us\u0435rs", "users\n"])
def test_the_name_of_the_table_is_a_plain_one(table: str) -> None:
    with pytest.raises(ValidationError):
        SeederSettings(mysql_table=table)


@pytest.mark.parametrize("database", ["a b", "a;b", "a'b", "a`b", "", "a\n"])
def test_the_name_of_the_database_is_a_plain_one(database: str) -> None:
    with pytest.raises(ValidationError):
        ProvisionerSettings(mysql_database=database)


@pytest.mark.parametrize("secret", ['"}, "x": "', "$bootstrap", "a\\\\b\n", "${file:/etc/passwd:x}"])
def test_what_is_filled_into_the_connector_stays_one_value(secret: str) -> None:
    plain = load(ProvisionerSettings(cdc_password=SecretStr("plain"))).connector
    filled = load(ProvisionerSettings(cdc_password=SecretStr(secret))).connector
    assert plain.keys() == filled.keys()
    assert [name for name in plain if plain[name] != filled[name]] == ["database.password"]
    assert filled["database.password"] == secret
