"""AST to text, as ksqlDB prints it, and the pieces of text that its messages share.

Expressions have two spellings: in messages names are bare, in statements a name that needs quotes has back-ticks.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from services.ksql.model.schema import Schema
from services.ksql.sql import ast
from services.ksql.sql.ast import Location
from services.ksql.sql.tokens import RESERVED

_PLAIN = re.compile(r"[A-Z_][A-Z0-9_@]*")


def quote(name: str) -> str:
    """A name as written in a statement."""
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
            case ast.Dereference(operand=operand, field=field):
                return f"{self.format(operand)}->{self._name(field)}"
            case ast.Subscript(operand=operand, index=index):
                return f"{self.format(operand)}[{self.format(index)}]"
            case ast.MakeArray(items=items):
                return f"ARRAY[{', '.join(map(self.format, items))}]"
            case ast.MakeMap(keys=keys, values=values):
                pairs = zip(map(self.format, keys), map(self.format, values), strict=True)
                return f"MAP({', '.join(f'{key}:={value}' for key, value in pairs)})"
            case ast.MakeStruct(names=names, values=values):
                named = zip(map(self._name, names), map(self.format, values), strict=True)
                return f"STRUCT({', '.join(f'{name}:={value}' for name, value in named)})"
            case ast.Lambda(parameters=parameters, body=body):
                head = parameters[0] if len(parameters) == 1 else f"({', '.join(parameters)})"
                return f"{head} => {self.format(body)}"
            case ast.LambdaVariable(name=name):
                return name

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
            return literal.value if literal.kind == "unit" else format_string(literal.value)
        case _:
            return literal.text or str(literal.value)


def format_statement(statement: ast.Statement) -> str:
    """The text of a statement with its semicolon."""
    return f"{_statement(statement)};"


def _statement(statement: ast.Statement) -> str:  # noqa: PLR0911, PLR0912 - one arm per kind of statement
    match statement:
        case ast.Select():
            return format_query(statement)
        case ast.CreateSourceStatement():
            return _create_source(statement)
        case ast.AlterSourceStatement():
            added = ", ".join(f"ADD COLUMN {_column(column)}" for column in statement.columns)
            return f"ALTER {statement.kind} {quote(statement.name)} {added}"
        case ast.CreateAsSelect():
            head = f"CREATE {_or_replace(statement)}{statement.kind} {_if_not_exists(statement)}{quote(statement.name)}"
            return f"{head}{_with(statement.properties)} AS {format_query(statement.query)}"
        case ast.InsertSelect():
            return f"INSERT INTO {quote(statement.target)}{_with(statement.properties)} {format_query(statement.query)}"
        case ast.InsertValuesStatement():
            return _insert_values(statement)
        case ast.DropSourceStatement():
            head = f"DROP {statement.kind} {'IF EXISTS ' if statement.if_exists else ''}{quote(statement.name)}"
            return f"{head}{' DELETE TOPIC' if statement.delete_topic else ''}"
        case ast.QueryControl():
            return f"{statement.action} {statement.query_id or 'ALL'}"
        case ast.Show():
            return f"SHOW {statement.what}{_extended(statement.extended)}"
        case ast.DescribeSourceStatement():
            return f"DESCRIBE {quote(statement.name)}{_extended(statement.extended)}"
        case ast.DescribeAll():
            return f"DESCRIBE {statement.kind}S{_extended(statement.extended)}"
        case ast.DescribeFunction():
            return f"DESCRIBE FUNCTION {statement.name}"
        case ast.CreateConnector():
            given = ", ".join(f"{format_string(name)}={format_string(value)}" for name, value in statement.config)
            head = f"CREATE {statement.kind} CONNECTOR {'IF NOT EXISTS ' if statement.if_not_exists else ''}"
            return f"{head}{quote(statement.name)} WITH ({given})"
        case ast.DropConnector():
            return f"DROP CONNECTOR {'IF EXISTS ' if statement.if_exists else ''}{quote(statement.name)}"
        case ast.DescribeConnector():
            return f"DESCRIBE CONNECTOR {quote(statement.name)}"
        case ast.ExplainStatement():
            inner = _statement(statement.statement) if statement.statement else statement.query_id
            return f"EXPLAIN {inner}"
        case ast.SetProperty():
            return f"SET {format_string(statement.name)}={format_string(statement.value)}"
        case ast.UnsetProperty():
            return f"UNSET {format_string(statement.name)}"
        case ast.Define():
            return f"DEFINE {statement.name}={format_string(statement.value)}"
        case ast.Undefine():
            return f"UNDEFINE {statement.name}"
        case ast.CreateType(name=name, type=sql_type):
            head = f"CREATE TYPE {'IF NOT EXISTS ' if statement.if_not_exists else ''}"
            return f"{head}{quote(name)} AS {sql_type}"
        case ast.DropType(name=name):
            return f"DROP TYPE {'IF EXISTS ' if statement.if_exists else ''}{quote(name)}"
        case ast.AssertTopic():
            return _assert_topic(statement)
        case ast.AssertSchema():
            return f"ASSERT {'' if statement.exists else 'NOT EXISTS '}SCHEMA"
        case ast.Print():
            return f"PRINT {statement.topic}"


def _or_replace(statement: ast.CreateSourceStatement | ast.CreateAsSelect) -> str:
    return "OR REPLACE " if statement.or_replace else ""


def _if_not_exists(statement: ast.CreateSourceStatement | ast.CreateAsSelect) -> str:
    return "IF NOT EXISTS " if statement.if_not_exists else ""


def _extended(extended: bool) -> str:
    return " EXTENDED" if extended else ""


def _create_source(statement: ast.CreateSourceStatement) -> str:
    source = "SOURCE " if statement.read_only else ""
    head = f"CREATE {_or_replace(statement)}{source}{statement.kind} {_if_not_exists(statement)}{quote(statement.name)}"
    columns = f" ({', '.join(map(_column, statement.columns))})" if statement.columns else ""
    return f"{head}{columns}{_with(statement.properties)}"


def _column(column: ast.ColumnDef) -> str:
    constraint = f" {column.constraint}" if column.constraint else ""
    if column.constraint == "HEADER":
        constraint = f" HEADER({format_string(column.header or '')})"
    return f"{quote(column.name)} {column.type}{constraint}"


def _assert_topic(statement: ast.AssertTopic) -> str:
    given = ", ".join(f"{name}={format_string(value)}" for name, value in statement.settings)
    timeout = "" if statement.timeout_ms is None else f" TIMEOUT {statement.timeout_ms} MILLISECONDS"
    head = f"ASSERT {'' if statement.exists else 'NOT EXISTS '}TOPIC {format_string(statement.name)}"
    return f"{head}{f' WITH ({given})' if given else ''}{timeout}"


def _with(properties: ast.Properties) -> str:
    if not properties:
        return ""
    return f" WITH ({', '.join(f'{name}={format_literal(value)}' for name, value in sorted(properties))})"


def _insert_values(statement: ast.InsertValuesStatement) -> str:
    columns = f" ({', '.join(map(quote, statement.columns))})" if statement.columns else ""
    values = ", ".join(map(format_expression, statement.values))
    return f"INSERT INTO {quote(statement.target)}{columns} {_values(values)}"


def _values(text: str) -> str:
    return f"VALUES ({text})"


def masked_insert_values(statement: ast.InsertValuesStatement) -> str:
    """The statement without its values, as error answers show it."""
    columns = f" ({', '.join(f'`{name}`' for name in statement.columns)})" if statement.columns else ""
    values = ", ".join("'[value]'" for _ in statement.values)
    return " ".join(("INSERT INTO", f"`{statement.target}`{columns}", f"VALUES ({values});"))


def format_query(query: ast.Select) -> str:
    """A query over several lines; an alias is printed for every column and source that has one."""
    items = [_select_item(item) for item in query.select]
    select = f"SELECT {items[0]}" if len(items) == 1 else "SELECT\n  " + ",\n  ".join(items)
    lines = [select, f"FROM {_relation(query.source)}"]
    lines += [_join(join) for join in query.joins]
    if query.window:
        lines.append(f"WINDOW {_window(query.window)} ")
    if query.where is not None:
        lines.append(f"WHERE {format_expression(query.where, quoted=True)}")
    if query.group_by:
        lines.append(f"GROUP BY {_list(query.group_by)}")
    if query.partition_by:
        lines.append(f"PARTITION BY {_list(query.partition_by)}")
    if query.having is not None:
        lines.append(f"HAVING {format_expression(query.having, quoted=True)}")
    if query.emit:
        lines.append(f"EMIT {query.emit}")
    if query.limit is not None:
        lines.append(f"LIMIT {query.limit}")
    return "\n".join(lines)


def _list(expressions: tuple[ast.Expression, ...]) -> str:
    if len(expressions) == 1:
        return format_expression(expressions[0], quoted=True)
    return ", ".join(format_expression(expression, quoted=True) for expression in expressions)


def _select_item(item: ast.SelectItem | ast.Star | ast.StructStar) -> str:
    if isinstance(item, ast.StructStar):
        return f"{format_expression(item.operand, quoted=True)}->*"
    if isinstance(item, ast.Star):
        return f"{quote(item.source)}.*" if item.source else "*"
    text = format_expression(item.expression, quoted=True)
    return f"{text} {quote(item.alias)}" if item.alias else text


def _relation(relation: ast.Relation) -> str:
    return f"{quote(relation.name)} {quote(relation.alias)}"


def _join(join: ast.Join) -> str:
    kind = {"INNER": "INNER", "LEFT": "LEFT OUTER", "RIGHT": "RIGHT OUTER", "FULL": "FULL OUTER"}[join.type]
    within = f" {_within(join.within)}" if join.within else ""
    return f"{kind} JOIN {_relation(join.right)}{within} ON ({format_expression(join.criteria, quoted=True)})"


def _within(within: ast.Within) -> str:
    before, after = format_interval(within.before), format_interval(within.after)
    grace = f" GRACE PERIOD {format_interval(within.grace)}" if within.grace else ""
    return (f"WITHIN {before}" if before == after else f"WITHIN ({before}, {after})") + grace


def format_interval(interval: ast.Interval) -> str:
    return f"{interval.value} {interval.unit}"


def _window(window: ast.Window) -> str:
    head = "" if window.type == "SESSION" else "SIZE "
    parts = [f"{head}{format_interval(window.size)}"]
    if window.advance:
        parts.append(f"ADVANCE BY {format_interval(window.advance)}")
    if window.retention:
        parts.append(f"RETENTION {format_interval(window.retention)}")
    if window.grace:
        parts.append(f"GRACE PERIOD {format_interval(window.grace)}")
    return f"{window.type} ( {' , '.join(parts)} )"


def join_words(words: Sequence[str], last: str = "and") -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {last} {words[-1]}"


def at(location: Location) -> str:
    """The prefix ``Line: 1, Col: 8: `` of a message, or nothing for an unknown place."""
    return f"Line: {location.line}, Col: {location.column}: " if location.line else ""
