"""WHERE and HAVING: predicates, and literals that are points in time."""

from __future__ import annotations

from services.ksql.analysis.expressions import Scope, typed
from services.ksql.analysis.timestamps import parse_point_in_time
from services.ksql.errors import KsqlError
from services.ksql.model.expression import Expression
from services.ksql.model.types import BOOLEAN
from services.ksql.sql import ast
from services.ksql.sql.ast import rewrite
from services.ksql.sql.format import format_expression

_POINTS_IN_TIME = ("ROWTIME", "WINDOWSTART", "WINDOWEND")


def predicate(clause: str, bare: ast.Expression, scope: Scope) -> Expression:
    """The typed predicate of ``clause`` (WHERE or HAVING)."""
    try:
        expression = typed(bare, scope)
    except KsqlError as error:
        error.message = f"Error in {clause} expression: {error.message}"
        raise
    if expression.type != BOOLEAN:
        text = format_expression(bare)
        raise KsqlError(
            f"Type error in {clause} expression: Should evaluate to boolean but is {text} ({expression.type or 'null'}) "
            f"instead.\nStatement: {text}"
        )
    return expression


def with_points_in_time(expression: ast.Expression) -> ast.Expression:
    """The expression with texts that are compared to ROWTIME or window bounds as epoch milliseconds."""

    def change(node: ast.Expression) -> ast.Expression | None:
        if isinstance(node, ast.Comparison):
            if _is_time(node.left):
                return ast.Comparison(node.op, node.left, _converted(node.right))
            if _is_time(node.right):
                return ast.Comparison(node.op, _converted(node.left), node.right)
        if isinstance(node, ast.Between) and _is_time(node.operand):
            return ast.Between(node.operand, _converted(node.low), _converted(node.high))
        return None

    return rewrite(expression, change)


def _is_time(node: ast.Expression) -> bool:
    return isinstance(node, ast.ColumnName) and node.name in _POINTS_IN_TIME


def _converted(node: ast.Expression) -> ast.Expression:
    if isinstance(node, ast.Literal) and isinstance(node.value, str):
        value = parse_point_in_time(node.value)
        return ast.Literal(value, "bigint", str(value))
    return node
