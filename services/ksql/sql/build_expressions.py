"""Parse trees of expressions, literals and types to AST."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

from lark import Token

from services.ksql.errors import ParseError
from services.ksql.model import types
from services.ksql.sql import ast
from services.ksql.sql.syntax_errors import unsupported
from services.ksql.sql.tokens import identifier_text, unquote_string
from services.ksql.sql.trees import Node, children, first_token, has, identifiers, location, required, token, trees

_TYPE_NAMES: Final = {
    "BOOLEAN": types.BOOLEAN,
    "INT": types.INTEGER,
    "INTEGER": types.INTEGER,
    "BIGINT": types.BIGINT,
    "DOUBLE": types.DOUBLE,
    "VARCHAR": types.STRING,
    "STRING": types.STRING,
    "BYTES": types.BYTES,
    "DATE": types.DATE,
    "TIME": types.TIME,
    "TIMESTAMP": types.TIMESTAMP,
}
_WITH_UNIT: Final = frozenset({"TIMESTAMPADD", "TIMESTAMPSUB", "DATEADD", "DATESUB", "TIMEADD", "TIMESUB"})
_INT_MAX: Final = 2**31 - 1
_LONG_MAX: Final = 2**63 - 1


def build_expression(node: Node) -> ast.Expression:  # noqa: PLR0911, PLR0912 - one arm per rule of the grammar
    match node.data:
        case "or_" | "and_":
            left, right = trees(node)
            return ast.Logical("OR" if node.data == "or_" else "AND", build_expression(left), build_expression(right))
        case "not_":
            return ast.Not(build_expression(trees(node)[0]))
        case "comparison":
            return _comparison(node)
        case "between" | "in_" | "like":
            predicate = _PREDICATES[node.data](node)
            return ast.Not(predicate) if has(node, "NOT") else predicate
        case "is_null":
            return ast.IsNull(build_expression(trees(node)[0]), has(node, "NOT"))
        case "is_distinct":
            left, right = trees(node)
            distinct = "IS NOT DISTINCT FROM" if has(node, "NOT") else "IS DISTINCT FROM"
            return ast.Comparison(distinct, build_expression(left), build_expression(right))
        case "concat":
            return ast.Call("CONCAT", tuple(map(build_expression, trees(node))), location(node))
        case "arithmetic":
            left, right = trees(node)
            op = next(str(item) for item in node.children if isinstance(item, Token))
            return ast.Arithmetic(op, build_expression(left), build_expression(right), location(node))
        case "signed":
            return _signed(node)
        case "parenthesised":
            return build_expression(trees(node)[0])
        case "cast":
            return ast.Cast(build_expression(trees(node)[0]), build_type(trees(node)[1]))
        case "simple_case" | "searched_case":
            return _case(node)
        case "call" | "call_star":
            callee, *arguments = trees(node)
            name = identifier_text(first_token(callee))
            return ast.Call(name, _arguments(name, arguments), location(node))
        case "column":
            return ast.ColumnName(None, identifiers(node)[0], location(node))
        case "qualified_column":
            source, name = identifiers(node)
            return ast.ColumnName(source, name, location(node))
        case "dereference":
            raise unsupported(token(node, "DEREF"), "The field of a STRUCT (a->b)")
        case "subscript":
            raise unsupported(token(node, "LSQB"), "The element of an ARRAY or MAP (x[1])")
        case "array_constructor":
            raise unsupported(first_token(node), "The constructor ARRAY[...]")
        case _:
            return build_literal(node)


def _arguments(name: str, nodes: list[Node]) -> tuple[ast.Expression, ...]:
    """The arguments of a call; the unit of TIMESTAMPADD(DAYS, 1, t) is a word of its own, no column."""
    for node in nodes:
        if node.data == "lambda_":
            raise unsupported(first_token(node), "A lambda function (x => ...)")
        if node.data == "assignment":
            raise unsupported(token(node, "ASSIGN"), f"The constructor {name}(... := ...)")
    arguments = tuple(map(build_expression, nodes))
    if name.upper() in _WITH_UNIT and arguments and isinstance(arguments[0], ast.ColumnName):
        unit = arguments[0].name
        return ast.Literal(unit, "string", unit), *arguments[1:]
    return arguments


def _comparison(node: Node) -> ast.Expression:
    left, op, right = trees(node)
    symbol = str(first_token(op))
    return ast.Comparison("<>" if symbol == "!=" else symbol, build_expression(left), build_expression(right))


def _between(node: Node) -> ast.Expression:
    operand, low, high = map(build_expression, trees(node))
    return ast.Between(operand, low, high)


def _in(node: Node) -> ast.Expression:
    operand, *options = map(build_expression, trees(node))
    return ast.In(operand, tuple(options))


def _like(node: Node) -> ast.Expression:
    operand, pattern = map(build_expression, trees(node))
    return ast.Like(operand, pattern, _escape(node))


#: Predicates that may have a NOT inside.
_PREDICATES: Final[dict[str, Callable[[Node], ast.Expression]]] = {"between": _between, "in_": _in, "like": _like}


def _escape(node: Node) -> str | None:
    if not has(node, "ESCAPE"):
        return None
    escape = unquote_string(token(node, "STRING_VALUE"))
    if len(escape) != 1:
        where = location(node)
        raise ParseError(
            f"line {where.line}:{where.column + 1}: Expected exactly 1 character escape sequence but got: {escape}"
        )
    return escape


def _signed(node: Node) -> ast.Expression:
    op = str(first_token(node))
    operand = trees(node)[0]
    if op == "-" and operand.data in ("integer", "decimal", "double"):
        return build_literal(operand, sign=node)
    return ast.Signed(op, build_expression(operand))


def _case(node: Node) -> ast.Expression:
    whens = tuple(ast.When(*(build_expression(tree) for tree in trees(when))) for when in children(node, "when"))
    others = [tree for tree in trees(node) if tree.data != "when"]
    operand = build_expression(others.pop(0)) if node.data == "simple_case" else None
    default = build_expression(others[0]) if others else None
    return ast.Case(operand, whens, default)


def build_literal(node: Node, sign: Node | None = None) -> ast.Literal:
    """A literal; ``sign`` is the node of a minus sign before it, which belongs to the number."""
    match node.data:
        case "null":
            return ast.Literal(None, "null")
        case "true" | "false":
            return ast.Literal(node.data == "true", "boolean")
        case "string":
            return ast.Literal(unquote_string(first_token(node)), "string")
    text = ("-" if sign else "") + str(first_token(node) if node.data != "negative" else token(node, "INTEGER_VALUE"))
    if node.data == "negative":
        text = "-" + text
    where = location(sign or node)
    if node.data in ("integer", "negative"):
        value = int(text)
        if not -_LONG_MAX - 1 <= value <= _LONG_MAX:
            raise _number_error(where, f"Invalid numeric literal: {text}")
        return ast.Literal(value, "integer" if -_INT_MAX - 1 <= value <= _INT_MAX else "bigint", text)
    number = float(text)
    if math.isinf(number):
        raise _number_error(where, f"Number overflows DOUBLE: {text}")
    return ast.Literal(number, node.data, text)


def _number_error(where: ast.Location, reason: str) -> ParseError:
    return ParseError(f"line {where.line}:{where.column + 1}: {reason}")


def build_type(node: Node) -> types.SqlType:
    """A column or cast type; those out of scope are refused."""
    match node.data:
        case "sized_text_type":
            return types.STRING
        case "array_type":
            return types.array_of(build_type(trees(node)[0]))
        case "named_type":
            first = node.children[0]
            name = identifier_text(first if isinstance(first, Token) else first_token(node))
            if name in _TYPE_NAMES:
                return _TYPE_NAMES[name]
            if name in ("ARRAY", "MAP", "STRUCT", "DECIMAL"):
                raise unsupported(first_token(node), f"The type {name}")
            raise ParseError(f"Cannot resolve unknown type: {name}")
        case other:
            name = str(other).removesuffix("_type").upper()
            raise unsupported(first_token(node), f"The type {name}")


def build_interval(node: Node) -> ast.Interval:
    """An amount with a unit, the unit in the plural."""
    name = str(first_token(required(node, "unit"))).upper()
    return ast.Interval(int(token(node, "INTEGER_VALUE")), name if name.endswith("S") else name + "S")
