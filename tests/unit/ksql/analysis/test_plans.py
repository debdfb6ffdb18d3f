"""Plans of many shapes keep what every plan must hold."""

import pytest

from services.ksql.analysis.analyzer import Analyzer
from services.ksql.model.commands import CreateQuery, InsertQuery, PushQuery
from services.ksql.sql.format import format_statement
from services.ksql.sql.parser import parse, parse_one
from tests.unit.ksql.analysis.plans import check_plan
from tests.unit.ksql.analysis.session import with_sources

JOIN = "clicks c JOIN orders o WITHIN 1 DAY ON c.id = o.id JOIN people p ON o.person = p.id"


QUERIES = [
    "CREATE STREAM x AS SELECT *, ROWTIME AS t, ROWPARTITION AS p FROM clicks c WHERE c.ROWOFFSET > 1 AND page LIKE 'a%';",
    "CREATE STREAM x AS SELECT UCASE(page) AS k, page, id, LEN(UCASE(page)) FROM clicks PARTITION BY UCASE(page);",
    "CREATE STREAM x AS SELECT page AS id, person AS page FROM clicks PARTITION BY page;",
    "CREATE STREAM x WITH (key_format='JSON') AS SELECT * FROM clicks PARTITION BY page, ABS(id);",
    "CREATE STREAM x AS SELECT * FROM clicks PARTITION BY ROWTIME;",
    f"CREATE STREAM x AS SELECT p.id, c.*, o.price * 2 AS twice, p.ROWTIME FROM {JOIN} WHERE c.page <> p.name;",
    f"CREATE STREAM x AS SELECT c.page, o.id, p.name FROM {JOIN} PARTITION BY c.page;",
    f"CREATE TABLE x AS SELECT p.place, COUNT(*), SUM(o.price + c.id) FROM {JOIN} WHERE o.price > 1 GROUP BY p.place "
    "HAVING MAX(c.seen) > 5;",
    "CREATE STREAM x AS SELECT ROWKEY, c.id, o.id FROM clicks c FULL JOIN orders o WITHIN 1 DAY ON c.id = o.id;",
    "CREATE TABLE x AS SELECT pe.id, pl.*, pe.ROWTIME FROM people pe LEFT JOIN places pl ON pe.place = pl.id;",
    "CREATE TABLE x WITH (key_format='JSON') AS SELECT LEN(page) AS l, person AS p, LEN(page) + person, COUNT(*) FROM clicks "
    "GROUP BY LEN(page), person;",
    "CREATE TABLE x AS SELECT page, WINDOWSTART AS a, WINDOWEND - WINDOWSTART AS b, COUNT(*) + SUM(id) AS c FROM clicks "
    "WINDOW HOPPING (SIZE 1 HOUR, ADVANCE BY 10 MINUTES) GROUP BY page HAVING COUNT(*) > 1 AND page <> 'x' EMIT FINAL;",
    "CREATE TABLE x AS SELECT place, COUNT(*), SUM(id) FROM people GROUP BY place;",
    "SELECT seen, id, seen FROM clicks EMIT CHANGES;",
    "SELECT COUNT(*), page FROM clicks GROUP BY page EMIT CHANGES;",
    "SELECT * FROM clicks c LEFT JOIN people p ON c.person = p.id EMIT CHANGES;",
    "CREATE TABLE w AS SELECT page, COUNT(*) AS n FROM clicks WINDOW TUMBLING (SIZE 1 DAY) GROUP BY page; "
    "CREATE TABLE x AS SELECT page, n, WINDOWEND AS e FROM w WHERE WINDOWSTART > '2020'; SELECT * FROM w EMIT CHANGES;",
    "INSERT INTO orders SELECT id, person, CAST(seen AS DOUBLE) AS price FROM clicks;",
]


@pytest.mark.parametrize("text", QUERIES)
def test_names_resolve_in_the_step_below(text: str) -> None:
    session = with_sources()
    commands = [session.run(statement.text) for statement in parse(text)]
    assert commands
    for command in commands:
        assert isinstance(command, CreateQuery | InsertQuery | PushQuery)
        check_plan(command.plan)


@pytest.mark.parametrize("text", QUERIES)
def test_the_text_that_is_logged_gives_the_same_plan(text: str) -> None:
    session = with_sources()
    for statement in parse(text):
        analyzer = Analyzer(session.catalog)
        prepared = analyzer.qualify(statement.ast)
        logged = parse_one(format_statement(prepared)).ast
        assert analyzer.analyze(logged, "same") == analyzer.analyze(prepared, "same")
        session.run(statement.text)
