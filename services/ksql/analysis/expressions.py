"""AST expressions to typed ones over the columns of a step: type rules, IN lists, predicates, literals of time.

The AST has bare column names only (see ``names``); every implicit conversion becomes a Cast.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal

from services.ksql.errors import CastError, KsqlError
from services.ksql.functions import registry
from services.ksql.functions.definitions import ScalarFunction
from services.ksql.functions.java_time import partial_timestamp
from services.ksql.model import typed_expressions as ex
from services.ksql.model.typed_expressions import Expression
from services.ksql.model.types import (
    BIGINT,
    BOOLEAN,
    DOUBLE,
    INTEGER,
    STRING,
    UNIT,
    BaseType,
    SqlType,
    array_of,
    as_decimal,
    decimal_of,
    in_key,
    lambda_of,
    map_of,
    struct_of,
    wider,
)
from services.ksql.model.types import common_type as without_cast
from services.ksql.sql import ast
from services.ksql.sql.ast import rewrite
from services.ksql.sql.format import format_expression

_TEMPORAL = {BaseType.DATE, BaseType.TIME, BaseType.TIMESTAMP}
_COMPARISONS = {
    "=": "EQUAL",
    "<>": "NOT_EQUAL",
    "<": "LESS_THAN",
    "<=": "LESS_THAN_OR_EQUAL",
    ">": "GREATER_THAN",
    ">=": "GREATER_THAN_OR_EQUAL",
    "IS DISTINCT FROM": "IS_DISTINCT_FROM",
    "IS NOT DISTINCT FROM": "IS_NOT_DISTINCT_FROM",
}
_TRUE_TEXTS, _FALSE_TEXTS = ("true", "yes"), ("false", "no")


def comparison_name(op: str) -> str:
    """ksqlDB's name of a comparison operator."""
    return _COMPARISONS[op]


def common_for_comparison(op: str, left: SqlType, right: SqlType) -> SqlType | None:
    """The type in which two values are compared with ``op``, None if they cannot be."""
    number = wider(left, right)
    if number is not None:
        return number
    bases = {left.base, right.base}
    if left == right:
        ordered = op in ("<", "<=", ">", ">=")
        return None if ordered and (left == BOOLEAN or left.is_complex) else left
    if BaseType.STRING in bases and bases & _TEMPORAL:
        return left if left.base in _TEMPORAL else right
    if bases == {BaseType.DATE, BaseType.TIMESTAMP}:
        return left if left.base is BaseType.TIMESTAMP else right
    return None


def common_for_arithmetic(op: str, left: SqlType | None, right: SqlType | None) -> SqlType | None:
    """The type of an arithmetic result; + also joins texts."""
    if left is None or right is None:
        return None
    if op == "+" and left == right == STRING:
        return STRING
    common = wider(left, right)
    if common is None or common.base is not BaseType.DECIMAL:
        return common
    return _decimal_result(op, as_decimal(left), as_decimal(right))


def _decimal_result(op: str, left: SqlType, right: SqlType) -> SqlType:
    """The DECIMAL that an operation on two of them gives."""
    whole = (left.precision - left.scale, right.precision - right.scale)
    scale = max(left.scale, right.scale)
    match op:
        case "+" | "-":
            return decimal_of(max(whole) + scale + 1, scale)
        case "*":
            return decimal_of(left.precision + right.precision + 1, left.scale + right.scale)
        case "/":
            digits = max(6, left.scale + right.precision + 1)
            return decimal_of(whole[0] + right.scale + digits, digits)
    return decimal_of(min(whole) + scale, scale)


_SCALAR_CASTS = {
    (BaseType.TIMESTAMP, BaseType.DATE),
    (BaseType.TIMESTAMP, BaseType.TIME),
    (BaseType.DATE, BaseType.TIMESTAMP),
}


def can_cast(source: SqlType, target: SqlType) -> bool:
    if target == source or (target == STRING and source.base is not BaseType.BYTES):
        return True
    if source == STRING:
        return not target.is_complex and target.base is not BaseType.BYTES
    if source.is_numeric and target.is_numeric:
        return True
    if source.base is not target.base or not source.is_complex:
        return (source.base, target.base) in _SCALAR_CASTS
    if source.base is BaseType.STRUCT:
        fields = dict(source.fields)
        return all(name not in fields or can_cast(fields[name], field) for name, field in target.fields)
    keys = source.base is BaseType.ARRAY or can_cast(source.map_key, target.map_key)
    return keys and can_cast(source.item, target.item)


def parse_boolean(text: str) -> bool | None:
    """What a text means as BOOLEAN: any beginning of true, yes, false, no; None if nothing."""
    lower = text.strip().lower()
    if lower and any(word.startswith(lower) for word in _TRUE_TEXTS):
        return True
    if lower and any(word.startswith(lower) for word in _FALSE_TEXTS):
        return False
    return None


def parse_number(text: str) -> tuple[int | float | Decimal, SqlType] | None:
    """The number in a text with its smallest type, None if there is none."""
    trimmed = text.strip()
    if _PLAIN_DECIMAL.fullmatch(trimmed):
        number = Decimal(trimmed)
        return number, decimal_type(number)
    try:
        whole = int(trimmed)
    except ValueError:
        try:
            return float(trimmed), DOUBLE
        except ValueError:
            return None
    return whole, INTEGER if -(2**31) <= whole < 2**31 else BIGINT


_PLAIN_DECIMAL = re.compile(r"[+-]?(?:[0-9]+\.[0-9]*|\.[0-9]+)")


def decimal_type(number: Decimal) -> SqlType:
    """The type of a number written with a point."""
    _, digits, exponent = number.as_tuple()
    scale = max(0, -int(exponent))
    return decimal_of(max(len(digits), scale, 1), scale)


def parse_point_in_time(text: str) -> int:
    """Epoch milliseconds of a full or shortened ISO time; UTC unless it has a zone.

    Raises:
        KsqlError: the text is not such a time.
    """
    try:
        return partial_timestamp(text)
    except ValueError as error:
        raise KsqlError(f"Failed to parse timestamp '{text}'") from error


_HINT = "\nHint: You might need to add explicit type casts."


def coerce_options(expressions: Sequence[ex.Expression], texts: Sequence[str]) -> list[ex.Expression]:
    """``expressions`` (the operand first) as one type; ``texts`` are their spellings for messages.

    A text literal takes the type of the others where it can be read as one.
    """
    common: SqlType | None = None
    for expression, text in zip(expressions, texts, strict=True):
        if expression.type is None or _text(expression) is not None:
            continue
        if common is not None and _adapts(expression, common):
            continue
        common = _joined(common, expression.type, text)
    if common == STRING:
        return [cast(e, STRING) if e.type not in (None, STRING) else e for e in expressions]
    if common is None:
        return list(expressions)
    for literal in map(_text, expressions):
        if literal is not None and common.is_numeric:
            common = wider(common, _number(literal, common)[1]) or common
    return [_as(expression, common) for expression in expressions]


def _joined(common: SqlType | None, other: SqlType, text: str) -> SqlType:
    if common is None or common == other:
        return other
    both = without_cast(common, other)
    if both is not None:
        return both
    raise KsqlError(f"operator does not exist: {common} = {other} ({text}){_HINT}")


def _adapts(expression: ex.Expression, common: SqlType) -> bool:
    """Whether a constructor with text literals in it can become ``common`` where its type says that it cannot."""
    match expression:
        case ex.TypedMakeArray(items=items) if common.base is BaseType.ARRAY:
            return all(_literal_adapts(one, common.item) for one in items)
        case ex.TypedMakeMap(keys=keys, values=values) if common.base is BaseType.MAP:
            return all(_literal_adapts(one, common.map_key) for one in keys) and all(
                _literal_adapts(one, common.item) for one in values
            )
        case ex.TypedMakeStruct(names=names, values=values) if common.base is BaseType.STRUCT:
            fields = dict(common.fields)
            return all(n in fields and _literal_adapts(v, fields[n]) for n, v in zip(names, values, strict=True))
    return False


def _literal_adapts(expression: ex.Expression, common: SqlType) -> bool:
    text = _text(expression)
    if expression.type is None or without_cast(expression.type, common) == common:
        return True
    if text is not None and (common.is_numeric or common == BOOLEAN):
        return True  # or an error that names the text
    return _adapts(expression, common)


def _text(expression: ex.Expression) -> str | None:
    """The value of a text literal, None for anything else."""
    return expression.value if isinstance(expression, ex.TypedLiteral) and isinstance(expression.value, str) else None


def _invalid(common: SqlType, value: object) -> KsqlError:
    return KsqlError(f'invalid input syntax for type {common.base}: "{value}".')


def _number(text: str, common: SqlType) -> tuple[int | float | Decimal, SqlType]:
    parsed = parse_number(text)
    if parsed is None:
        raise _invalid(common, text)
    return parsed


def _as(expression: ex.Expression, common: SqlType) -> ex.Expression:  # noqa: PLR0911 - one answer per kind
    if expression.type is None or expression.type == common:
        return expression
    text = _text(expression)
    if text is not None and common == BOOLEAN:
        flag = parse_boolean(text)
        if flag is None:
            raise _invalid(common, text)
        return ex.TypedLiteral(flag, BOOLEAN)
    if text is not None and common.is_numeric:
        value, kind = _number(text, common)
        return cast(ex.TypedLiteral(value, kind), common)
    match expression:
        case ex.TypedMakeArray(items=items) if common.base is BaseType.ARRAY:
            return ex.TypedMakeArray(tuple(_as(one, common.item) for one in items), common)
        case ex.TypedMakeMap(keys=keys, values=values) if common.base is BaseType.MAP:
            made = tuple(_as(one, common.map_key) for one in keys), tuple(_as(one, common.item) for one in values)
            return ex.TypedMakeMap(*made, common)
        case ex.TypedMakeStruct(names=names, values=values) if common.base is BaseType.STRUCT:
            given = dict(zip(names, values, strict=True))
            every = [(name, given.get(name, ex.TypedLiteral(None, None)), field) for name, field in common.fields]
            return ex.TypedMakeStruct(tuple(n for n, _, _ in every), tuple(_as(v, f) for _, v, f in every), common)
    return cast(expression, common)


Scope = Mapping[str, SqlType]

_LITERAL_TYPES: dict[str, SqlType | None] = {
    "null": None,
    "boolean": BOOLEAN,
    "integer": INTEGER,
    "bigint": BIGINT,
    "double": DOUBLE,
    "string": STRING,
    "unit": UNIT,
}


def cast(expression: ex.Expression, target: SqlType) -> ex.Expression:
    """``expression`` as ``target``; nothing is wrapped that has the type already."""
    if expression.type == target:
        return expression
    if isinstance(expression, ex.TypedLiteral) and expression.type is not None and expression.type.is_numeric:
        value = expression.value
        if target == DOUBLE:
            return ex.TypedLiteral(float(value), target)
        if target == BIGINT and expression.type == INTEGER:
            return ex.TypedLiteral(value, target)
    return ex.TypedCast(expression, target)


def literal(node: ast.Literal) -> ex.TypedLiteral:
    if isinstance(node.value, Decimal):
        return ex.TypedLiteral(node.value, decimal_type(node.value))
    return ex.TypedLiteral(node.value, _LITERAL_TYPES[node.kind])


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
            return ex.TypedComparison(node.op, cast(left, common), cast(right, common))
        case ast.Logical(op=op):
            return ex.TypedLogical(op, _boolean(node.left, scope, node), _boolean(node.right, scope, node))
        case ast.Not(operand=ast.Between() | ast.In() | ast.Like()):
            return _negate(typed(node.operand, scope))
        case ast.Not():
            return ex.TypedNot(_boolean(node.operand, scope, node))
        case ast.IsNull():
            return ex.TypedIsNull(typed(node.operand, scope), node.negated)
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
        case ast.Dereference():
            return _dereference(node, scope)
        case ast.Subscript():
            return _subscript(node, scope)
        case ast.MakeArray():
            return _make_array(node, scope)
        case ast.MakeMap():
            return _make_map(node, scope)
        case ast.MakeStruct(names=names):
            values = tuple(typed(value, scope) for value in node.values)
            fields = [(name, _known(value, node)) for name, value in zip(names, values, strict=True)]
            return ex.TypedMakeStruct(names, values, struct_of(*fields))
        case ast.LambdaVariable(name=name):
            if _variable(name) not in scope:
                raise KsqlError(f"Can't resolve lambda variable '{name}'")
            return ex.TypedLambdaVariable(name, scope[_variable(name)])
        case ast.Lambda():
            raise KsqlError(f"A lambda is only allowed as the argument of a function: {format_expression(node)}")


def _variable(name: str) -> str:
    """The name of a lambda's parameter in a scope: no column has it."""
    return f"\0{name}"


def _known(value: ex.Expression, node: ast.Expression) -> SqlType:
    if value.type is None:
        raise KsqlError(f"NULL has no type here: {format_expression(node)}. Use a CAST.")
    return value.type


def _dereference(node: ast.Dereference, scope: Scope) -> ex.Expression:
    operand = typed(node.operand, scope)
    if operand.type is None or operand.type.base is not BaseType.STRUCT:
        raise KsqlError(f"Expected STRUCT type, got: {operand.type or 'null'} in {format_expression(node)}")
    kind = operand.type.field(node.field)
    if kind is None:
        known = ", ".join(f"`{name}` {field}" for name, field in operand.type.fields)
        raise KsqlError(
            f"Could not find field '{node.field}' in '{format_expression(node.operand)}'. Fields are: {known}"
        )
    return ex.TypedDereference(operand, node.field, kind)


def _subscript(node: ast.Subscript, scope: Scope) -> ex.Expression:
    operand, index = typed(node.operand, scope), typed(node.index, scope)
    if operand.type is None or operand.type.base not in (BaseType.ARRAY, BaseType.MAP):
        raise KsqlError(
            f"Subscript access is not supported on type {operand.type or 'null'}: {format_expression(node)}"
        )
    if operand.type.base is BaseType.MAP:
        return ex.TypedSubscript(
            operand, index if index.type is None else cast(index, operand.type.map_key), operand.type.item
        )
    if index.type not in (INTEGER, BIGINT):
        raise KsqlError(f"Array subscript must be an INTEGER but is {index.type or 'null'}: {format_expression(node)}")
    return ex.TypedSubscript(operand, index, operand.type.item)


def _coerced(nodes: Sequence[ast.Expression], scope: Scope, what: str) -> tuple[tuple[ex.Expression, ...], SqlType]:
    """The parts of a constructor as one type."""
    parts = coerce_options([typed(one, scope) for one in nodes], [format_expression(one) for one in nodes])
    kind = next((part.type for part in parts if part.type is not None), None)
    if kind is None:
        raise KsqlError(
            f"Cannot construct {what} with all NULL elements (see https://github.com/confluentinc/ksql/issues/4239). "
            "As a workaround, you may cast a NULL value to the desired type."
        )
    return tuple(parts), kind


def _make_array(node: ast.MakeArray, scope: Scope) -> ex.Expression:
    if not node.items:
        raise KsqlError(
            "Array constructor cannot be empty. Please supply at least one element (see https://github.com/confluentinc/ksql/issues/4239)."
        )
    items, kind = _coerced(node.items, scope, "an array")
    return ex.TypedMakeArray(items, array_of(kind))


def _make_map(node: ast.MakeMap, scope: Scope) -> ex.Expression:
    keys, key = _coerced(node.keys, scope, "a map")
    values, value = _coerced(node.values, scope, "a map")
    return ex.TypedMakeMap(keys, values, map_of(key, value))


def _explicit_cast(operand: ex.Expression, target: SqlType) -> ex.Expression:
    if operand.type is not None and not can_cast(operand.type, target):
        raise CastError(f"Cast of {operand.type} to {target} is not supported")
    return ex.TypedCast(operand, target)


def _negate(expression: ex.Expression) -> ex.Expression:
    match expression:
        case ex.TypedBetween():
            return ex.TypedBetween(expression.operand, expression.low, expression.high, negated=True)
        case ex.TypedIn():
            return ex.TypedIn(expression.operand, expression.options, negated=True)
        case ex.TypedLike():
            return ex.TypedLike(expression.operand, expression.pattern, expression.escape, negated=True)
        case _:
            return ex.TypedNot(expression)


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
    if result.base is BaseType.DECIMAL and left.type and right.type:
        # each keeps its own digits: the result has more, and is exact
        return ex.TypedArithmetic(
            node.op, cast(left, as_decimal(left.type)), cast(right, as_decimal(right.type)), result
        )
    return ex.TypedArithmetic(node.op, cast(left, result), cast(right, result), result)


def _signed(node: ast.Signed, scope: Scope) -> ex.Expression:
    operand = typed(node.operand, scope)
    if operand.type is None or not operand.type.is_numeric:
        raise KsqlError(
            f"Unary arithmetic is not supported on type {operand.type or 'null'}: {format_expression(node)}"
        )
    return ex.TypedNegate(operand, operand.type) if node.op == "-" else operand


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
    return ex.TypedBetween(cast(operand, common), cast(low, common), cast(high, common))


def _in(node: ast.In, scope: Scope) -> ex.Expression:
    operand = typed(node.operand, scope)
    options = [typed(option, scope) for option in node.options]
    texts = [format_expression(option) for option in (node.operand, *node.options)]
    try:
        first, *rest = coerce_options([operand, *options], texts)
    except KsqlError as error:
        raise KsqlError(f"Invalid Predicate: {error.message}") from error
    return ex.TypedIn(first, tuple(rest))


def _like(node: ast.Like, scope: Scope) -> ex.Expression:
    operand, pattern = typed(node.operand, scope), typed(node.pattern, scope)
    for side in (operand, pattern):
        if side.type not in (STRING, None):
            raise KsqlError(
                f"Like condition must be between strings got {operand.type}({format_expression(node.operand)}) "
                f"and {pattern.type}({format_expression(node.pattern)})"
            )
    return ex.TypedLike(operand, pattern, node.escape)


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
    return ex.TypedCase(tuple(whens), default, result)


def _call(node: ast.Call, scope: Scope) -> ex.Expression:
    if not registry.exists(node.name):
        raise KsqlError(f"Can't find any functions with the name '{node.name}'")
    if registry.is_table_function(node.name):
        raise KsqlError(f"Table function {node.name} is only allowed in the SELECT of a stream.")
    arguments = _arguments(node, scope)
    function = registry.resolve_scalar(node.name, [argument.type for argument in arguments])
    return ex.TypedCall(function.name, function, converted(arguments, function.parameter_types), function.return_type)


def table_function(node: ast.Call, scope: Scope) -> ex.TypedCall:
    """The typed call of a table function: its type is that of the items that it gives."""
    arguments = _arguments(node, scope)
    function = registry.resolve_table_function(node.name, [argument.type for argument in arguments])
    return ex.TypedCall(function.name, function, converted(arguments, function.parameter_types), function.return_type)


def as_key(expression: ex.Expression) -> ex.Expression:
    """The expression for a key: an ARRAY or STRUCT there has a hash."""
    if expression.type is None or not expression.type.is_complex:
        return expression
    function = ScalarFunction("AS_KEY", (expression.type,), expression.type, in_key)
    return ex.TypedCall(function.name, function, (expression,), expression.type)


def converted(arguments: Sequence[ex.Expression], wanted: Sequence[SqlType]) -> tuple[ex.Expression, ...]:
    """The arguments of a call as the types that its function takes."""
    return tuple(
        one if one.type is None or one.type.base is BaseType.LAMBDA else cast(one, kind)
        for one, kind in zip(arguments, wanted, strict=True)
    )


def _arguments(node: ast.Call, scope: Scope) -> list[ex.Expression]:
    """The typed arguments; what the parameters of a lambda are follows from the others."""
    lambdas = {i: one for i, one in enumerate(node.arguments) if isinstance(one, ast.Lambda)}
    made = [ex.TypedLiteral(None, None) if i in lambdas else typed(one, scope) for i, one in enumerate(node.arguments)]
    if lambdas:
        counts = {i: len(one.parameters) for i, one in lambdas.items()}
        kinds = registry.lambda_parameters(node.name, [one.type for one in made], counts)
        for i, one in lambdas.items():
            named = tuple(zip(one.parameters, kinds[i], strict=True))
            inner = {**scope, **{_variable(name): kind for name, kind in named}}
            body = typed(one.body, inner)
            made[i] = ex.TypedLambda(one.parameters, body, lambda_of(named, _known(body, one)))
    return made


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
