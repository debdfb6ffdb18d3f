"""Parse trees to AST: expressions, queries, statements."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Final

from services.ksql.errors import ParseError
from services.ksql.model import types
from services.ksql.model.schema import SourceKind, WindowType
from services.ksql.sql import ast
from services.ksql.sql.ast import NOWHERE, Location
from services.ksql.sql.lalr import Token, Tree
from services.ksql.sql.tokens import identifier_text
from shared.ksql_lexer import unquote_string

Node = Tree


def trees(node: Node) -> list[Node]:
    """The children that are trees, in order."""
    return [child for child in node.children if isinstance(child, Tree)]


def child(node: Node, *names: str) -> Node | None:
    """The first child tree with one of these names."""
    return next((tree for tree in trees(node) if tree.data in names), None)


def required(node: Node, *names: str) -> Node:
    """As ``child``, where the grammar makes sure that there is one."""
    found = child(node, *names)
    if found is None:
        raise ValueError(f"{node.data} has no {' or '.join(names)}")
    return found


def children(node: Node, name: str) -> list[Node]:
    return [tree for tree in trees(node) if tree.data == name]


def has(node: Node, token_type: str) -> bool:
    return any(isinstance(item, Token) and item.type == token_type for item in node.children)


def token(node: Node, token_type: str) -> Token:
    return next(item for item in node.children if isinstance(item, Token) and item.type == token_type)


def identifiers(node: Node) -> list[str]:
    """The names among the direct children."""
    return [identifier_text(first_token(tree)) for tree in children(node, "identifier")]


def first_token(node: Node) -> Token:
    for item in node.children:
        if isinstance(item, Token):
            return item
        if isinstance(item, Tree):
            return first_token(item)
    raise ValueError(f"{node.data} holds no token")


def location(node: Node) -> Location:
    try:
        first = first_token(node)
    except ValueError:
        return NOWHERE
    return Location(first.line, first.column)


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
_UNITS: Final = frozenset(unit for plural in ast.UNIT_MS for unit in (plural, plural[:-1]))
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
            return _call(node)
        case "column":
            return ast.ColumnName(None, identifiers(node)[0], location(node))
        case "qualified_column":
            source, name = identifiers(node)
            return ast.ColumnName(source, name, location(node))
        case "dereference":
            operand, field = trees(node)
            return ast.Dereference(build_expression(operand), identifier_text(first_token(field)))
        case "subscript":
            operand, index = trees(node)
            return ast.Subscript(build_expression(operand), build_expression(index))
        case "array_constructor":
            return ast.MakeArray(tuple(map(build_expression, trees(node))))
        case "lambda_":
            return _lambda(node)
        case _:
            return build_literal(node)


def _call(node: Node) -> ast.Expression:
    """A call, or the constructor of a MAP or STRUCT; the unit of TIMESTAMPADD(DAYS, 1, t) is a word of its own, no column."""
    callee, *nodes = trees(node)
    name = identifier_text(first_token(callee))
    entries = [tree for tree in nodes if tree.data == "assignment"]
    if nodes and len(entries) == len(nodes) and name in ("MAP", "STRUCT"):
        left, right = ([trees(entry)[side] for entry in entries] for side in (0, 1))
        values = tuple(map(build_expression, right))
        if name == "MAP":
            return ast.MakeMap(tuple(map(build_expression, left)), values)
        names = tuple(_field_name(tree) for tree in left)
        _refuse_doubles(names)
        return ast.MakeStruct(names, values)
    if entries:
        where = token(entries[0], "ASSIGN")
        raise ParseError(f"line {where.line}:{where.column}: ':=' is only for the entries of MAP(...) and STRUCT(...)")
    arguments = tuple(map(build_expression, nodes))
    if name in _WITH_UNIT and arguments and isinstance(arguments[0], ast.ColumnName) and arguments[0].source is None:
        unit = arguments[0].name
        if unit in _UNITS:
            arguments = (ast.Literal(unit, "unit", unit), *arguments[1:])
    return ast.Call(name, arguments, location(node))


def _field_name(node: Node) -> str:
    if node.data != "column":
        where = first_token(node)
        raise ParseError(f"line {where.line}:{where.column}: STRUCT(...) needs a name before ':='")
    return identifiers(node)[0]


def _lambda(node: Node) -> ast.Lambda:
    parameters = tuple(identifiers(node))
    if len(set(parameters)) < len(parameters):
        raise ParseError(f"Lambda parameters must have different names: {', '.join(parameters)}")

    def bind(part: ast.Expression) -> ast.Expression | None:
        bound = isinstance(part, ast.ColumnName) and part.source is None and part.name in parameters
        return ast.LambdaVariable(part.name) if bound and isinstance(part, ast.ColumnName) else None

    return ast.Lambda(parameters, ast.rewrite(build_expression(trees(node)[-1]), bind))


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
    if node.data == "decimal":
        return ast.Literal(Decimal(text), "decimal", text)
    number = float(text)
    if math.isinf(number):
        raise _number_error(where, f"Number overflows DOUBLE: {text}")
    return ast.Literal(number, node.data, text)


def _number_error(where: ast.Location, reason: str) -> ParseError:
    return ParseError(f"line {where.line}:{where.column + 1}: {reason}")


def build_type(node: Node) -> types.SqlType:  # noqa: PLR0911 - one arm per rule of the grammar
    """A column or cast type; a name that is none of SQL's own is looked up by the analysis."""
    match node.data:
        case "sized_type":
            return _sized_type(node)
        case "decimal_type":
            digits = [int(item) for item in node.children if isinstance(item, Token) and item.type == "INTEGER_VALUE"]
            return types.decimal_of(digits[0], digits[1])
        case "array_type":
            return types.array_of(build_type(trees(node)[0]))
        case "map_type":
            key, value = trees(node)
            return types.map_of(build_type(key), build_type(value))
        case "struct_type":
            fields = [(identifiers(tree)[0], build_type(trees(tree)[1])) for tree in children(node, "struct_field")]
            _refuse_doubles([name for name, _ in fields])
            return types.struct_of(*fields)
    first = node.children[0]
    name = identifier_text(first if isinstance(first, Token) else first_token(node))
    if name in _TYPE_NAMES:
        return _TYPE_NAMES[name]
    if name in ("ARRAY", "MAP", "STRUCT", "DECIMAL"):
        raise ParseError(f"Cannot resolve unknown type: {name}")
    return types.named_type(name)


def _sized_type(node: Node) -> types.SqlType:
    """VARCHAR(10), which is a text of any length. No other type has a length."""
    name = identifier_text(first_token(node))
    if name not in ("VARCHAR", "STRING"):
        raise ParseError(
            f"The type {name} takes no parameter: only VARCHAR and STRING take a length, DECIMAL takes two numbers."
        )
    return types.STRING


def _refuse_doubles(names: Sequence[str]) -> None:
    double = next((name for name in names if names.count(name) > 1), None)
    if double is not None:
        raise ParseError(f"Duplicate field names found in STRUCT: '{double}'")


def build_interval(node: Node) -> ast.Interval:
    """An amount with a unit, the unit in the plural."""
    name = str(first_token(required(node, "unit"))).upper()
    return ast.Interval(int(token(node, "INTEGER_VALUE")), name if name.endswith("S") else name + "S")


_SOURCE_NAME = re.compile(r"[A-Za-z0-9_-]+")


def source_name(node: Node) -> str:
    """The name of a stream or table: an identifier of letters, digits, _ and - only."""
    name = identifier_text(first_token(node))
    if not _SOURCE_NAME.fullmatch(name):
        where = location(node)
        raise ParseError(
            f"Illegal argument at Line: {where.line}, Col: {where.column}. "
            f"Source names may only contain alphanumeric values, '_' or '-'. Got: '{name}'",
            statement=name,
        )
    return name


def build_query(node: Node) -> ast.Select:
    items = tuple(
        _select_item(tree)
        for tree in trees(node)
        if tree.data in ("star", "source_star", "struct_star", "single_column")
    )
    source, *joins = trees(required(node, "relation"))
    emit = child(node, "emit")
    limit = child(node, "limit")
    window = child(node, "window_clause")
    return ast.Select(
        select=items,
        source=_relation(source),
        joins=tuple(_join(tree) for tree in joins),
        window=_window(trees(window)[-1]) if window else None,
        where=_clause(node, "where"),
        group_by=_list_clause(node, "group_by"),
        partition_by=_list_clause(node, "partition_by"),
        having=_clause(node, "having"),
        emit=str(emit.children[-1]).upper() if emit else None,
        limit=int(token(limit, "INTEGER_VALUE")) if limit else None,
    )


def _clause(node: Node, name: str) -> ast.Expression | None:
    clause = child(node, name)
    return build_expression(trees(clause)[-1]) if clause else None


def _list_clause(node: Node, name: str) -> tuple[ast.Expression, ...]:
    clause = child(node, name)
    if clause is None:
        return ()
    group = child(clause, "group_list")
    return tuple(build_expression(tree) for tree in (trees(group) if group else trees(clause)))


def _select_item(node: Node) -> ast.SelectItem | ast.Star | ast.StructStar:
    if node.data == "struct_star":
        return ast.StructStar(build_expression(trees(node)[0]), location(node))
    if node.data == "star":
        return ast.Star(None, location(node))
    if node.data == "source_star":
        return ast.Star(source_name(trees(node)[0]), location(node))
    expression, *rest = trees(node)
    alias = next((identifier_text(first_token(tree)) for tree in rest if tree.data == "identifier"), None)
    return ast.SelectItem(build_expression(expression), alias, location(node))


def _relation(node: Node) -> ast.Relation:
    names = [source_name(tree) for tree in children(node, "identifier")]
    return ast.Relation(names[0], names[-1], location(node))


def _join(node: Node) -> ast.Join:
    kind = child(node, "inner", "left", "right", "full")
    within = child(node, "within_same", "within_two")
    return ast.Join(
        type=str(kind.data).upper() if kind else "INNER",
        right=_relation(required(node, "aliased")),
        criteria=build_expression(trees(node)[-1]),
        within=_within(within) if within else None,
    )


def _within(node: Node) -> ast.Within:
    intervals = [build_interval(tree) for tree in children(node, "interval")]
    return ast.Within(intervals[0], intervals[-1], _inner_interval(node, "grace"))


def _inner_interval(node: Node, name: str) -> ast.Interval | None:
    clause = child(node, name)
    return build_interval(trees(clause)[0]) if clause else None


def _window(node: Node) -> ast.Window:
    intervals = [build_interval(tree) for tree in children(node, "interval")]
    kind = WindowType(str(node.data).upper())
    return ast.Window(
        type=kind,
        size=intervals[0],
        advance=intervals[1] if kind is WindowType.HOPPING else None,
        retention=_inner_interval(node, "retention"),
        grace=_inner_interval(node, "grace"),
    )


def build_statement(node: Node) -> ast.Statement:  # noqa: PLR0911, PLR0912 - one arm per rule of the grammar
    match node.data:
        case "query":
            return build_query(node)
        case "create_source":
            return _create_source(node)
        case "create_as":
            return _create_as(node)
        case "alter_source":
            return _alter_source(node)
        case "insert_select":
            return _insert_select(node)
        case "insert_values":
            return _insert_values(node)
        case "drop":
            return _drop(node)
        case "create_type":
            return ast.CreateType(
                identifiers(node)[0], build_type(trees(node)[-1]), child(node, "if_not_exists") is not None
            )
        case "drop_type":
            return ast.DropType(identifiers(node)[0], child(node, "if_exists") is not None)
        case "terminate" | "pause" | "resume":
            target = identifiers(node)
            return ast.QueryControl(str(node.data).upper(), target[0] if target else None)
        case "show":
            return _show(trees(node)[-1])
        case "explain_query":
            return ast.ExplainStatement(query_id=identifiers(node)[0])
        case "explain_statement":
            return ast.ExplainStatement(statement=build_statement(trees(node)[0]))
        case "print":
            return _print(node)
        case _:
            return _small_statement(node)


def _small_statement(node: Node) -> ast.Statement:  # noqa: PLR0911 - one arm per rule of the grammar
    strings = [unquote_string(t) for t in node.children if isinstance(t, Token) and t.type == "STRING_VALUE"]
    match node.data:
        case "describe_source":
            return _describe(node)
        case "describe_function":
            return ast.DescribeFunction(identifiers(node)[0])
        case "assert_topic":
            return _assert_topic(node)
        case "assert_schema":
            return ast.AssertSchema(exists=child(node, "not_exists") is None)
        case "set_property":
            return ast.SetProperty(strings[0], strings[1])
        case "unset_property":
            return ast.UnsetProperty(strings[0])
        case "define":
            return ast.Define(str(first_token(trees(node)[0])), strings[0])
        case "undefine":
            return ast.Undefine(str(first_token(trees(node)[0])))
        case "create_connector":
            return _create_connector(node)
        case "drop_connector":
            return ast.DropConnector(identifiers(node)[0], child(node, "if_exists") is not None)
        case "describe_connector":
            return ast.DescribeConnector(identifiers(node)[0])
        case _:
            raise TypeError(f"no statement is built from {node.data}")


def _create_connector(node: Node) -> ast.CreateConnector:
    words = {str(item).upper() for item in node.children if isinstance(item, Token)}
    if child(node, "or_replace") is not None:
        raise ParseError("CREATE OR REPLACE is not supported for connectors: DROP CONNECTOR first")
    clause = child(node, "connector_with")
    return ast.CreateConnector(
        kind="SINK" if "SINK" in words else "SOURCE",
        name=identifiers(node)[0],
        config=tuple(_connector_property(tree) for tree in children(clause, "connector_property")) if clause else (),
        if_not_exists=child(node, "if_not_exists") is not None,
    )


def _connector_property(node: Node) -> tuple[str, str]:
    """Names as they are written: names in Connect are case-sensitive."""
    named = child(node, "identifier")
    name = first_token(named).strip('"`') if named is not None else unquote_string(token(node, "STRING_VALUE"))
    literal = build_literal(trees(node)[-1])
    if literal.kind == "boolean":
        return name, "true" if literal.value else "false"
    return name, literal.text or str(literal.value)


def _kind(node: Node) -> SourceKind:
    return SourceKind(str(first_token(required(node, "source_kind"))).upper())


def _create_source(node: Node) -> ast.CreateSourceStatement:
    kind = _kind(node)
    elements = child(node, "elements")
    return ast.CreateSourceStatement(
        name=_name(node),
        kind=kind,
        columns=tuple(_column(tree, kind) for tree in children(elements, "element")) if elements else (),
        properties=_properties(node),
        or_replace=child(node, "or_replace") is not None,
        if_not_exists=child(node, "if_not_exists") is not None,
        read_only=has(node, "SOURCE"),
    )


def _alter_source(node: Node) -> ast.AlterSourceStatement:
    kind = _kind(node)
    added = tuple(_column(tree, kind) for tree in children(node, "added_column"))
    return ast.AlterSourceStatement(_name(node), kind, added)


def _create_as(node: Node) -> ast.CreateAsSelect:
    return ast.CreateAsSelect(
        name=_name(node),
        kind=_kind(node),
        query=build_query(trees(node)[-1]),
        properties=_properties(node),
        or_replace=child(node, "or_replace") is not None,
        if_not_exists=child(node, "if_not_exists") is not None,
    )


def _name(node: Node) -> str:
    return source_name(required(node, "identifier"))


def _column(node: Node, kind: SourceKind) -> ast.ColumnDef:
    name = identifiers(node)[0]
    where = location(trees(node)[0])
    constraint = child(node, "primary_key", "key", "headers", "header")
    column_type = build_type(trees(node)[1])
    if constraint is None:
        return ast.ColumnDef(name, column_type, location=where)
    match constraint.data:
        case "header":
            return ast.ColumnDef(name, column_type, "HEADER", unquote_string(token(constraint, "STRING_VALUE")), where)
        case "headers":
            return ast.ColumnDef(name, column_type, "HEADERS", "", where)
    _check_key_word(name, constraint.data == "primary_key", kind, where)
    return ast.ColumnDef(name, column_type, "PRIMARY KEY" if kind is SourceKind.TABLE else "KEY", location=where)


_KEYS_EXPLAINED = (
    "Tables have PRIMARY KEYs, which are unique and NON NULL.\n"
    "Streams have KEYs, which have no uniqueness or NON NULL constraints."
)


def _check_key_word(name: str, primary: bool, kind: SourceKind, where: ast.Location) -> None:
    if primary == (kind is SourceKind.TABLE):
        return
    got, wanted, whom = ("PRIMARY KEY", "KEY", "streams") if primary else ("KEY", "PRIMARY KEY", "tables")
    raise ParseError(
        f"Line: {where.line}, Col: {where.column}: Column `{name}` is a '{got}' column: "
        f"please use '{wanted}' for {whom}.\n{_KEYS_EXPLAINED}",
        statement=f"`{name}`",
    )


def _properties(node: Node) -> ast.Properties:
    clause = child(node, "with_clause")
    if clause is None:
        return ()
    return tuple(
        (identifier_text(first_token(trees(tree)[0])), build_literal(trees(tree)[1]))
        for tree in children(clause, "property")
    )


def _insert_select(node: Node) -> ast.InsertSelect:
    target = required(node, "identifier")
    return ast.InsertSelect(source_name(target), build_query(trees(node)[-1]), _properties(node), location(target))


def _insert_values(node: Node) -> ast.InsertValuesStatement:
    columns = child(node, "columns")
    values = [tree for tree in trees(node)[1:] if tree.data != "columns"]
    return ast.InsertValuesStatement(
        target=_name(node),
        columns=tuple(identifiers(columns)) if columns else (),
        values=tuple(build_expression(tree) for tree in values),
    )


def _drop(node: Node) -> ast.DropSourceStatement:
    return ast.DropSourceStatement(
        name=_name(node),
        kind=_kind(node),
        if_exists=child(node, "if_exists") is not None,
        delete_topic=child(node, "delete_topic") is not None,
    )


def _show(node: Node) -> ast.Show:
    words = [str(item).upper() for item in node.children if isinstance(item, Token)]
    return ast.Show(" ".join(word for word in words if word != "EXTENDED"), "EXTENDED" in words)


def _describe(node: Node) -> ast.Statement:
    extended = has(node, "EXTENDED")
    subject = first_token(trees(node)[0])
    if subject.type in ("STREAMS", "TABLES"):
        return ast.DescribeAll(SourceKind(subject.type[:-1]), extended)
    return ast.DescribeSourceStatement(_name(node), extended)


def _print(node: Node) -> ast.Print:
    topic = next(trees(node)[0] if isinstance(item, Tree) else item for item in node.children[1:])
    name = first_token(topic) if isinstance(topic, Tree) else topic
    interval, limit = child(node, "print_interval"), child(node, "limit")
    return ast.Print(
        topic=_topic(name),
        from_beginning=child(node, "from_beginning") is not None,
        interval=_count(interval),
        limit=_count(limit),
    )


def _assert_topic(node: Node) -> ast.AssertTopic:
    name = child(node, "identifier")
    timeout = _inner_interval(node, "timeout")
    return ast.AssertTopic(
        name=_topic(first_token(name) if name is not None else token(node, "STRING_VALUE")),
        settings=tuple((key, str(literal.value)) for key, literal in _properties(node)),
        exists=child(node, "not_exists") is None,
        timeout_ms=None if timeout is None else timeout.milliseconds,
    )


def _topic(name: Token) -> str:
    if name.type == "STRING_VALUE":
        return unquote_string(name)
    return identifier_text(name) if name.type == "QUOTED" else str(name)


def _count(node: Node | None) -> int | None:
    return int(token(node, "INTEGER_VALUE")) if isinstance(node, Tree) else None
