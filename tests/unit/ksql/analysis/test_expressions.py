import pytest

from services.ksql.analysis.expressions import typed
from services.ksql.errors import KsqlError
from services.ksql.model import typed_expressions as ex
from services.ksql.model.types import BIGINT, BOOLEAN, DOUBLE, INTEGER, STRING, TIMESTAMP
from services.ksql.sql import ast
from services.ksql.sql.parser import parse_one

SCOPE = {"I": INTEGER, "L": BIGINT, "D": DOUBLE, "S": STRING, "B": BOOLEAN, "T": TIMESTAMP}


def of(text: str) -> ex.Expression:
    statement = parse_one(f"SELECT {text} FROM s;").ast
    assert isinstance(statement, ast.Select)
    item = statement.select[0]
    assert isinstance(item, ast.SelectItem)
    return typed(item.expression, SCOPE)


def error(text: str) -> str:
    with pytest.raises(KsqlError) as raised:
        of(text)
    return raised.value.message


def test_arithmetic_widens_with_explicit_casts() -> None:
    assert of("i + l") == ex.TypedArithmetic(
        "+", ex.TypedCast(ex.ColumnRef("I", INTEGER), BIGINT), ex.ColumnRef("L", BIGINT), BIGINT
    )
    assert of("i / 2").type == INTEGER
    assert of("d * 2") == ex.TypedArithmetic("*", ex.ColumnRef("D", DOUBLE), ex.TypedLiteral(2.0, DOUBLE), DOUBLE)
    assert of("s + 'x'").type == STRING


def test_comparisons_share_a_type() -> None:
    comparison = of("i < d")
    assert isinstance(comparison, ex.TypedComparison)
    assert comparison.left.type == comparison.right.type == DOUBLE
    assert of("t > '2020-01-01'") == ex.TypedComparison(
        ">", ex.ColumnRef("T", TIMESTAMP), ex.TypedCast(ex.TypedLiteral("2020-01-01", STRING), TIMESTAMP)
    )


def test_not_goes_into_the_predicates_that_have_one() -> None:
    inside = of("i NOT IN (1)")
    assert isinstance(inside, ex.TypedIn) and inside.negated
    between = of("i NOT BETWEEN 1 AND 2")
    assert isinstance(between, ex.TypedBetween) and between.negated
    like = of("s NOT LIKE 'a%'")
    assert isinstance(like, ex.TypedLike) and like.negated


def test_simple_case_becomes_comparisons() -> None:
    case = of("CASE i WHEN 1 THEN 'a' ELSE NULL END")
    assert isinstance(case, ex.TypedCase)
    assert case.type == STRING
    assert isinstance(case.whens[0][0], ex.TypedComparison)
    assert case.default == ex.TypedLiteral(None, None)


def test_functions_convert_their_arguments() -> None:
    call = of("ROUND(i, 2)")
    assert isinstance(call, ex.TypedCall)
    assert call.type == call.function.return_type
    assert [argument.type for argument in call.arguments] == list(call.function.parameter_types)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nosuch", "Unknown column NOSUCH."),
        ("i = 'a'", "Cannot compare I (INTEGER) to 'a' (STRING) with EQUAL."),
        ("b < b", "Cannot compare B (BOOLEAN) to B (BOOLEAN) with LESS_THAN."),
        ("i = NULL", "Comparison with NULL not supported: I = NULL"),
        ("i + s", "Error processing expression: (I + S). Unsupported arithmetic types. INTEGER STRING"),
        ("-s", "Unary arithmetic is not supported on type STRING: -S"),
        ("CAST(b AS INT)", "Cast of BOOLEAN to INTEGER is not supported"),
        ("i LIKE 'x'", "Like condition must be between strings got INTEGER(I) and STRING('x')"),
        (
            "CASE WHEN b THEN 1 WHEN b THEN 'x' END",
            "Invalid Case expression. Type for all 'THEN' clauses should be the same.",
        ),
        ("CASE WHEN i THEN 1 END", "WHEN operand type should be boolean.\nType for 'I' is INTEGER"),
        ("CASE WHEN b THEN NULL END", "Invalid Case expression. All case branches have a NULL type"),
        ("nosuch(i)", "Can't find any functions with the name 'NOSUCH'"),
        ("i IN (1, s)", "Invalid Predicate: operator does not exist: INTEGER = STRING (S)"),
        ("i IN (1, 'x')", 'Invalid Predicate: invalid input syntax for type INTEGER: "x".'),
        ("b IN (true, 'x')", 'Invalid Predicate: invalid input syntax for type BOOLEAN: "x".'),
    ],
)
def test_what_does_not_go_together(text: str, message: str) -> None:
    assert error(text).startswith(message)


def test_in_lists_take_the_type_of_what_is_no_text() -> None:
    numbers = of("i IN (1, '3000000000')")
    assert numbers == ex.TypedIn(
        ex.TypedCast(ex.ColumnRef("I", INTEGER), BIGINT),
        (ex.TypedLiteral(1, BIGINT), ex.TypedLiteral(3_000_000_000, BIGINT)),
    )
    assert of("'1' IN (i, 2)") == ex.TypedIn(
        ex.TypedLiteral(1, INTEGER), (ex.ColumnRef("I", INTEGER), ex.TypedLiteral(2, INTEGER))
    )
    assert of("b IN ('yes', NULL)") == ex.TypedIn(
        ex.ColumnRef("B", BOOLEAN), (ex.TypedLiteral(True, BOOLEAN), ex.TypedLiteral(None, None))
    )
