"""Parse trees of expressions, literals and types to AST."""

from __future__ import annotations

import math
from typing import Final

from lark import Token, Tree

from services.ksql.errors import ParseError
from services.ksql.model import types
from services.ksql.sql import ast
from services.ksql.sql.tokens import identifier_text, unquote_string
from services.ksql.sql.trees import Node, child, children, first_token, has, identifiers, location, token, trees

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
_INT_MAX: Final = 2**31 - 1
_LONG_MAX: Final = 2**63 - 1


def build_expression(node: Node) -> ast.Expression:
    match node.data:
        case "or_" | "and_":
            left, right = trees(node)
            return ast.Logical("OR" if node.data == "or_" else "AND", build_expression(left), build_expression(right))
        case "not_":
            return ast.Not(build_expression(trees(node)[0]))
        case "comparison":
            left, op, right = trees(node)
            symbol = str(first_token(op))
            return ast.Comparison("<>" if symbol == "!=" else symbol, build_expression(left), build_expression(right))
        case "between":
            operand, low, high = (build_expression(tree) for tree in trees(node))
            return _negated(node, ast.Between(operand, low, high))
        case "in_":
            operand, *options = (build_expression(tree) for tree in trees(node))
            return _negated(node, ast.In(operand, tuple(options)))
        case "like":
            operand, pattern = (build_expression(tree) for tree in trees(node))
            return _negated(node, ast.Like(operand, pattern, _escape(node)))
        case "is_null":
            return ast.IsNull(build_expression(trees(node)[0]), has(node, "NOT"))
        case "is_distinct":
            left, right = trees(node)
            op = "IS NOT DISTINCT FROM" if has(node, "NOT") else "IS DISTINCT FROM"
            return ast.Comparison(op, build_expression(left), build_expression(right))
        case "concat":
            arguments = tuple(build_expression(tree) for tree in trees(node))
            return ast.Call("CONCAT", arguments, location(node))
        case "arithmetic":
            left, right = trees(node)
            op = next(str(item) for item in node.children if isinstance(item, Token))
            return ast.Arithmetic(op, build_expression(left), build_expression(right), location(node))
        case "signed":
            return _signed(node)
        case "parenthesised":
            return build_expression(trees(node)[0])
        case "cast":
            operand, sql_type = trees(node)
            return ast.Cast(build_expression(operand), build_type(sql_type))
        case "simple_case" | "searched_case":
            return _case(node)
        case "call" | "call_star":
            name, *arguments = trees(node)
            built = tuple(build_expression(tree) for tree in arguments)
            return ast.Call(identifier_text(first_token(name)), built, location(node))
        case "column":
            return ast.ColumnName(None, identifiers(node)[0], location(node))
        case "qualified_column":
            source, name = identifiers(node)
            return ast.ColumnName(source, name, location(node))
        case _:
            return build_literal(node)


def _negated(node: Node, expression: ast.Expression) -> ast.Expression:
    return ast.Not(expression) if has(node, "NOT") else expression


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
                raise ParseError(f"The type {name} is not supported by this server.")
            raise ParseError(f"Cannot resolve unknown type: {name}")
        case other:
            name = str(other).removesuffix("_type").upper()
            raise ParseError(f"The type {name} is not supported by this server.")


def build_interval(node: Node) -> ast.Interval:
    """An amount with a unit, the unit in the plural."""
    unit = child(node, "unit")
    assert isinstance(unit, Tree)
    name = str(first_token(unit)).upper()
    return ast.Interval(int(token(node, "INTEGER_VALUE")), name if name.endswith("S") else name + "S")
