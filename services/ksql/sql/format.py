"""AST back to text, as ksqlDB prints it.

Expressions come in two spellings: in messages names are bare, in statements a name that needs quotes has back-ticks.
"""

from __future__ import annotations

import re

from services.ksql.model.schema import Schema
from services.ksql.sql import ast
from services.ksql.sql.tokens import RESERVED

_PLAIN = re.compile(r"[A-Z_][A-Z0-9_@]*")


def quote(name: str) -> str:
    """A name as it may stand in a statement."""
    if _PLAIN.fullmatch(name) and name not in RESERVED:
        return name
    return f"`{name.replace('`', '``')}`"


def backtick(name: str) -> str:
    """A name with back-ticks always, as schemas in messages show it."""
    return f"`{name.replace('`', '``')}`"


def format_schema(schema: Schema, *, key_word: str = "KEY") -> str:
    """A schema as in ```K` STRING KEY, `V` INTEGER``."""
    keys = [f"{backtick(c.name)} {c.type} {key_word}" for c in schema.key]
    return ", ".join([*keys, *(f"{backtick(c.name)} {c.type}" for c in schema.value)])


def format_string(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def format_expression(expression: ast.Expression, *, quoted: bool = False) -> str:
    """``quoted`` gives the spelling for statements."""
    return _Formatter(quoted).format(expression)


class _Formatter:
    def __init__(self, quoted: bool) -> None:
        self._name = quote if quoted else str

    def format(self, node: ast.Expression) -> str:  # noqa: PLR0911, PLR0912 - one arm per kind of node
        match node:
            case ast.ColumnName(source=source, name=name):
                return f"{self._name(source)}.{self._name(name)}" if source else self._name(name)
            case ast.Literal():
                return format_literal(node)
            case ast.Arithmetic(op=op, left=left, right=right) | ast.Comparison(op=op, left=left, right=right):
                return f"({self.format(left)} {op} {self.format(right)})"
            case ast.Logical(op=op, left=left, right=right):
                return f"({self.format(left)} {op} {self.format(right)})"
            case ast.Signed(op=op, operand=operand):
                inner = self.format(operand)
                return f"{op} {inner}" if op == "-" and inner.startswith("-") else f"{op}{inner}"
            case ast.Not(operand=operand):
                return f"(NOT {self.format(operand)})"
            case ast.IsNull(operand=operand, negated=negated):
                return f"({self.format(operand)} IS {'NOT ' if negated else ''}NULL)"
            case ast.Between(operand=operand, low=low, high=high):
                return f"({self.format(operand)} BETWEEN {self.format(low)} AND {self.format(high)})"
            case ast.In(operand=operand, options=options):
                return f"({self.format(operand)} IN ({', '.join(map(self.format, options))}))"
            case ast.Like(operand=operand, pattern=pattern, escape=escape):
                tail = f" ESCAPE '{escape}'" if escape else ""
                return f"({self.format(operand)} LIKE {self.format(pattern)}{tail})"
            case ast.Case():
                return self._case(node)
            case ast.Cast(operand=operand, type=sql_type):
                return f"CAST({self.format(operand)} AS {sql_type})"
            case ast.Call(name=name, arguments=arguments):
                if name == "COUNT" and not arguments:
                    return "COUNT(*)"
                return f"{name}({', '.join(map(self.format, arguments))})"

    def _case(self, node: ast.Case) -> str:
        parts = ["CASE"]
        if node.operand is not None:
            parts.append(self.format(node.operand))
        parts += [f"WHEN {self.format(when.condition)} THEN {self.format(when.result)}" for when in node.whens]
        if node.default is not None:
            parts.append(f"ELSE {self.format(node.default)}")
        return f"({' '.join(parts)} END)"


def format_literal(literal: ast.Literal) -> str:
    match literal.value:
        case None:
            return "NULL"
        case bool():
            return str(literal.value).lower()
        case str():
            return format_string(literal.value)
        case _:
            return literal.text or str(literal.value)
