from __future__ import annotations

import json
from pathlib import Path

import pytest

from services.ksql.testing.__main__ import main

pytest_plugins = ["pytester"]

SOURCES = """
CREATE STREAM s (k STRING KEY, v INT) WITH (kafka_topic='t', value_format='JSON');
CREATE TABLE c AS SELECT k, COUNT(*) AS n FROM s GROUP BY k;
CREATE TABLE f AS SELECT k, n FROM c WHERE n < 2;
"""
GOOD = f"""
----
--@test: counts
----
{SOURCES}
INSERT INTO s (k, v) VALUES ('a', 1);
INSERT INTO s (rowtime, k, v) VALUES (5, 'a', 2);
ASSERT VALUES c (k, n) VALUES ('a', 1);
ASSERT VALUES c (rowtime, k, n) VALUES (5, 'a', 2);
ASSERT VALUES f (k, n) VALUES ('a', 1);
ASSERT NULL VALUES f (k) KEY ('a');
ASSERT TABLE c (k STRING PRIMARY KEY, n BIGINT) WITH (kafka_topic='C', value_format='JSON');
ASSERT STREAM s (k STRING KEY, v INT) WITH (kafka_topic='t', value_format='JSON');
--@test: must fail
--@expected.error: io.confluent.ksql.util.KsqlException
--@expected.message: does not exist
CREATE STREAM o AS SELECT * FROM nothing;
"""


def a_test(body: str, *directives: str) -> str:
    return "\n".join(["--@test: it", *directives, SOURCES, body, ""])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (a_test("INSERT INTO s (k, v) VALUES ('a', 1);\nASSERT VALUES c (k, n) VALUES ('a', 9);"), '- [0] {"key": "a", "value": {"N": 9}}'),
        (a_test("ASSERT VALUES c (k, n) VALUES ('a', 1);"), "has no record 0"),
        (a_test("INSERT INTO s (k, v) VALUES ('a', 1);\nASSERT NULL VALUES c (k) KEY ('a');"), '"value": null'),
        (a_test("ASSERT TABLE s (k STRING PRIMARY KEY) WITH (kafka_topic='t', value_format='JSON');"), "S is a stream"),
        (a_test("ASSERT TABLE c (k STRING PRIMARY KEY, n INT) WITH (kafka_topic='C', value_format='JSON');"), "N INTEGER"),
        (a_test("ASSERT TABLE z;"), "there is no table Z"),
        (a_test("SELECT * FROM missing;"), "MISSING does not exist"),
        (a_test("", "--@expected.message: never"), "did not fail"),
        (a_test("CREATE STREAM o AS SELECT * FROM nothing;", "--@expected.message: never"), "failed with another message"),
        (a_test("RUN SCRIPT './none.sql';"), "there is no file"),
    ],
)  # fmt: skip
def test_a_failure_says_what(tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, said: str) -> None:
    path = tmp_path / "x.sql"
    path.write_text(text)
    assert main([str(path)]) == 1
    out = capsys.readouterr().out
    assert said in out
    assert "0 passed, 1 failed" in out


def test_folders_scripts_and_three_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "good.sql").write_text(GOOD)
    (tmp_path / "shared.sql").write_text(SOURCES)
    (tmp_path / "runs.sql").write_text(
        "--@test: a script\nRUN SCRIPT 'shared.sql';\nINSERT INTO s (k, v) VALUES ('b', 1);\nASSERT VALUES c (k, n) VALUES ('b', 1);\n"
    )
    (tmp_path / "three.sql").write_text(SOURCES)
    (tmp_path / "three.input.json").write_text(
        json.dumps({"inputs": [{"topic": "t", "key": "a", "value": {"v": 1}, "timestamp": 7}]})
    )
    wanted = {"topic": "C", "key": "a", "value": {"N": 1}, "timestamp": 7}
    output = tmp_path / "three.output.json"
    output.write_text(json.dumps({"outputs": [wanted]}))
    assert main([str(tmp_path)]) == 0
    assert "4 passed, 0 failed" in capsys.readouterr().out
    output.write_text(json.dumps({"outputs": [{**wanted, "value": {"N": 2}}]}))
    three = ["-s", str(tmp_path / "three.sql"), "-i", str(tmp_path / "three.input.json"), "-o", str(output)]
    assert main(three) == 1
    assert '+ [0] {"key": "a", "value": {"N": 1}, "timestamp": 7}' in capsys.readouterr().out


def test_a_wrong_call(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bad.sql").write_text("--@test: a\n--@unheard: of\n")
    for arguments in ([], [str(tmp_path / "none.sql")], [str(tmp_path / "bad.sql")]):
        with pytest.raises(SystemExit) as stopped:
            main(arguments)
        assert stopped.value.code == 2
    assert "bad.sql:2: there is no directive --@unheard" in capsys.readouterr().err


ENGINE = "-p", "services.ksql.pytest_plugin"


def test_sql_files_are_collected_when_asked(pytester: pytest.Pytester) -> None:
    (pytester.path / "good.sql").write_text(GOOD)
    (pytester.path / "wrong.sql").write_text(a_test("ASSERT VALUES c (k, n) VALUES ('a', 1);"))
    assert pytester.runpytest_inprocess(*ENGINE, "-q").ret == pytest.ExitCode.NO_TESTS_COLLECTED
    result = pytester.runpytest_inprocess(*ENGINE, "-q", "--ksql", "--junitxml=out.xml")
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["*C has no record 0: 0 were written to C*"])
    assert 'name="must fail"' in (pytester.path / "out.xml").read_text()
    pytester.makeini("[pytest]\nksql = true\n")
    pytester.runpytest_inprocess(*ENGINE, "-q").assert_outcomes(passed=2, failed=1)


def test_the_fixture_and_the_difference(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(f"""
        def test_it(ksql):
            with ksql.topology({SOURCES!r}) as t:
                t.pipe("t", "a", {{"v": 1}})
                assert t.rows("C") == [ksql.Row("a", {{"N": 2}}, 0)]
    """)
    result = pytester.runpytest_inprocess(*ENGINE, "-q")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ['*- [[]0[]] {"key": "a", "value": {"N": 2}*', '*+ [[]0[]] {"key": "a", "value": {"N": 1}*']
    )
