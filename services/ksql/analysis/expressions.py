"""AST expressions to typed ones over the columns of a step.

The AST handed in has bare column names only (see ``names``); every implicit conversion becomes a Cast.
"""

from __future__ import annotations

from collections.abc import Mapping

from services.ksql.analysis.in_lists import coerce_options
from services.ksql.analysis.types import can_cast, common_for_arithmetic, common_for_comparison, comparison_name
from services.ksql.errors import KsqlError
from services.ksql.functions import registry
from services.ksql.model import expression as ex
from services.ksql.model.types import BIGINT, BOOLEAN, DOUBLE, INTEGER, STRING, SqlType
from services.ksql.sql import ast
from services.ksql.sql.format import format_expression

Scope = Mapping[str, SqlType]

_LITERAL_TYPES: dict[str, SqlType | None] = {
    "null": None,
    "boolean": BOOLEAN,
    "integer": INTEGER,
    "bigint": BIGINT,
    "decimal": DOUBLE,
    "double": DOUBLE,
    "string": STRING,
}


def cast(expression: ex.Expression, target: SqlType) -> ex.Expression:
    """``expression`` as ``target``; nothing is wrapped that has the type already."""
    if expression.type == target:
        return expression
    if isinstance(expression, ex.Literal) and expression.type in (INTEGER, BIGINT) and target in (BIGINT, DOUBLE):
        return ex.Literal(float(expression.value) if target == DOUBLE else expression.value, target)
    return ex.Cast(expression, target)


def literal(node: ast.Literal) -> ex.Literal:
    return ex.Literal(node.value, _LITERAL_TYPES[node.kind])


def typed(node: ast.Expression, scope: Scope) -> ex.Expression:  # noqa: PLR0911, PLR0912 - one arm per kind of node
    """The typed form of ``node``.

    Raises:
        KsqlError: an unknown column or function, or types that do not go together.
    """
    match node:
        case ast.ColumnName(name=name):
            if name not in scope:
                raise KsqlError(f"Unknown column {format_expression(node)}.")
            return ex.ColumnRef(name, scope[name])
        case ast.Literal():
            return literal(node)
        case ast.Arithmetic():
            return _arithmetic(node, scope)
        case ast.Signed():
            return _signed(node, scope)
        case ast.Comparison():
            left, right = typed(node.left, scope), typed(node.right, scope)
            common = common_type(node, left, right)
            return ex.Comparison(node.op, cast(left, common), cast(right, common))
        case ast.Logical(op=op):
            return ex.Logical(op, _boolean(node.left, scope, node), _boolean(node.right, scope, node))
        case ast.Not(operand=ast.Between() | ast.In() | ast.Like()):
            return _negate(typed(node.operand, scope))
        case ast.Not():
            return ex.Not(_boolean(node.operand, scope, node))
        case ast.IsNull():
            return ex.IsNull(typed(node.operand, scope), node.negated)
        case ast.Between():
            return _between(node, scope)
        case ast.In():
            return _in(node, scope)
        case ast.Like():
            return _like(node, scope)
        case ast.Case():
            return _case(node, scope)
        case ast.Cast(operand=operand, type=target):
            return _explicit_cast(typed(operand, scope), target)
        case ast.Call():
            return _call(node, scope)


def _explicit_cast(operand: ex.Expression, target: SqlType) -> ex.Expression:
    if operand.type is not None and not can_cast(operand.type, target):
        raise KsqlError(f"Cast of {operand.type} to {target} is not supported")
    return ex.Cast(operand, target)


def _negate(expression: ex.Expression) -> ex.Expression:
    match expression:
        case ex.Between():
            return ex.Between(expression.operand, expression.low, expression.high, negated=True)
        case ex.In():
            return ex.In(expression.operand, expression.options, negated=True)
        case ex.Like():
            return ex.Like(expression.operand, expression.pattern, expression.escape, negated=True)
        case _:
            return ex.Not(expression)


def _boolean(node: ast.Expression, scope: Scope, parent: ast.Expression) -> ex.Expression:
    expression = typed(node, scope)
    if expression.type not in (BOOLEAN, None):
        raise KsqlError(
            f"Error processing expression: {format_expression(parent)}. "
            f"Expected BOOLEAN but {format_expression(node)} is {expression.type}"
        )
    return expression


def _arithmetic(node: ast.Arithmetic, scope: Scope) -> ex.Expression:
    left, right = typed(node.left, scope), typed(node.right, scope)
    result = common_for_arithmetic(node.op, left.type, right.type)
    if result is None:
        raise KsqlError(
            f"Error processing expression: {format_expression(node)}. "
            f"Unsupported arithmetic types. {left.type or 'null'} {right.type or 'null'}\nStatement: {format_expression(node)}"
        )
    return ex.Arithmetic(node.op, cast(left, result), cast(right, result), result)


def _signed(node: ast.Signed, scope: Scope) -> ex.Expression:
    operand = typed(node.operand, scope)
    if operand.type is None or not operand.type.is_numeric:
        raise KsqlError(
            f"Unary arithmetic is not supported on type {operand.type or 'null'}: {format_expression(node)}"
        )
    return ex.Negate(operand, operand.type) if node.op == "-" else operand


def common_type(node: ast.Comparison, left: ex.Expression, right: ex.Expression) -> SqlType:
    """The type in which the sides of a comparison are compared."""
    if left.type is None or right.type is None:
        texts = f"{format_expression(node.left)} {node.op} {format_expression(node.right)}"
        raise KsqlError(f"Comparison with NULL not supported: {texts}\nStatement: {format_expression(node)}")
    common = common_for_comparison(node.op, left.type, right.type)
    if common is None:
        text = format_expression(node)
        raise KsqlError(
            f"Cannot compare {format_expression(node.left)} ({left.type}) to {format_expression(node.right)} ({right.type}) "
            f"with {comparison_name(node.op)}.\nStatement: {text}\nStatement: {text}"
        )
    return common


def _between(node: ast.Between, scope: Scope) -> ex.Expression:
    operand, low, high = typed(node.operand, scope), typed(node.low, scope), typed(node.high, scope)
    lower = common_type(ast.Comparison(">=", node.operand, node.low), operand, low)
    upper = common_type(ast.Comparison("<=", node.operand, node.high), operand, high)
    common = common_for_comparison(">=", lower, upper) or lower
    return ex.Between(cast(operand, common), cast(low, common), cast(high, common))


def _in(node: ast.In, scope: Scope) -> ex.Expression:
    operand = typed(node.operand, scope)
    options = [typed(option, scope) for option in node.options]
    texts = [format_expression(option) for option in (node.operand, *node.options)]
    try:
        first, *rest = coerce_options([operand, *options], texts)
    except KsqlError as error:
        raise KsqlError(f"Invalid Predicate: {error.message}") from error
    return ex.In(first, tuple(rest))


def _like(node: ast.Like, scope: Scope) -> ex.Expression:
    operand, pattern = typed(node.operand, scope), typed(node.pattern, scope)
    for side in (operand, pattern):
        if side.type not in (STRING, None):
            raise KsqlError(
                f"Like condition must be between strings got {operand.type}({format_expression(node.operand)}) "
                f"and {pattern.type}({format_expression(node.pattern)})"
            )
    return ex.Like(operand, pattern, node.escape)


def _case(node: ast.Case, scope: Scope) -> ex.Expression:
    whens: list[tuple[ex.Expression, ex.Expression]] = []
    result: SqlType | None = None
    for when in node.whens:
        condition_node = when.condition if node.operand is None else ast.Comparison("=", node.operand, when.condition)
        condition = typed(condition_node, scope)
        if condition.type != BOOLEAN:
            raise KsqlError(
                "WHEN operand type should be boolean.\n"
                f"Type for '{format_expression(condition_node)}' is {condition.type or 'null'}"
            )
        value = typed(when.result, scope)
        if result is not None and value.type is not None and value.type != result:
            raise KsqlError(
                "Invalid Case expression. Type for all 'THEN' clauses should be the same.\n"
                f"THEN expression '{format_expression(when.condition)}' has type: {value.type}.\n"
                f"Previous THEN expression(s) type: {result}."
            )
        result = result or value.type
        whens.append((condition, value))
    default = None if node.default is None else typed(node.default, scope)
    if default is not None and default.type is not None:
        if result is not None and default.type != result:
            raise KsqlError(
                "Invalid Case expression. Type for the default clause should be the same as for 'THEN' clauses.\n"
                f"THEN type: {result}.\nDEFAULT type: {default.type}."
            )
        result = default.type
    if result is None:
        raise KsqlError("Invalid Case expression. All case branches have a NULL type")
    return ex.Case(tuple(whens), default, result)


def _call(node: ast.Call, scope: Scope) -> ex.Expression:
    arguments = [typed(argument, scope) for argument in node.arguments]
    if not registry.exists(node.name):
        raise KsqlError(f"Can't find any functions with the name '{node.name}'")
    function = registry.resolve_scalar(node.name, [argument.type for argument in arguments])
    converted = tuple(
        argument if argument.type is None else cast(argument, wanted)
        for argument, wanted in zip(arguments, function.parameter_types, strict=True)
    )
    return ex.Call(function.name, function, converted, function.return_type)
