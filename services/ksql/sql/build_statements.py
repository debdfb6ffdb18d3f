"""Parse trees of statements to AST."""

from __future__ import annotations

from lark import Token, Tree

from services.ksql.errors import ParseError
from services.ksql.model.schema import SourceKind
from services.ksql.sql import ast
from services.ksql.sql.build_expressions import build_expression, build_literal, build_type
from services.ksql.sql.build_query import build_query, source_name
from services.ksql.sql.tokens import identifier_text, unquote_string
from services.ksql.sql.trees import (
    Node,
    child,
    children,
    first_token,
    has,
    identifiers,
    location,
    required,
    token,
    trees,
)


def build_statement(node: Node) -> ast.Statement:  # noqa: PLR0911 - one arm per rule of the grammar
    match node.data:
        case "query":
            return build_query(node)
        case "create_source":
            return _create_source(node)
        case "create_as":
            return _create_as(node)
        case "insert_select":
            return _insert_select(node)
        case "insert_values":
            return _insert_values(node)
        case "drop":
            return _drop(node)
        case "terminate" | "pause" | "resume":
            target = identifiers(node)
            return ast.QueryControl(str(node.data).upper(), target[0] if target else None)
        case "show":
            return _show(trees(node)[-1])
        case "explain_query":
            return ast.Explain(query_id=identifiers(node)[0])
        case "explain_statement":
            return ast.Explain(statement=build_statement(trees(node)[0]))
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
        case "set_property":
            return ast.SetProperty(strings[0], strings[1])
        case "unset_property":
            return ast.UnsetProperty(strings[0])
        case "define":
            return ast.Define(str(first_token(trees(node)[0])), strings[0])
        case "undefine":
            return ast.Undefine(str(first_token(trees(node)[0])))
        case _:
            return ast.Refused(_refused(node))


def _refused(node: Node) -> str:
    """The first words of the statement, as far as they are keywords: CREATE SINK CONNECTOR."""
    if node.data == "describe_connector":
        return "DESCRIBE CONNECTOR"
    words = [str(item).upper() for item in node.children if isinstance(item, Token)]
    if node.data == "alter_statement":
        words = ["ALTER", _kind(node)]
    return " ".join(word for word in words if word not in ("AS", "ADD", "COLUMN", ","))


def _kind(node: Node) -> SourceKind:
    return SourceKind(str(first_token(required(node, "source_kind"))).upper())


def _create_source(node: Node) -> ast.CreateSource:
    kind = _kind(node)
    elements = child(node, "elements")
    return ast.CreateSource(
        name=_name(node),
        kind=kind,
        columns=tuple(_column(tree, kind) for tree in children(elements, "element")) if elements else (),
        properties=_properties(node),
        or_replace=child(node, "or_replace") is not None,
        if_not_exists=child(node, "if_not_exists") is not None,
        read_only=has(node, "SOURCE"),
    )


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
    where = location(node)
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


def _insert_values(node: Node) -> ast.InsertValues:
    columns = child(node, "columns")
    values = [tree for tree in trees(node)[1:] if tree.data != "columns"]
    return ast.InsertValues(
        target=_name(node),
        columns=tuple(identifiers(columns)) if columns else (),
        values=tuple(build_expression(tree) for tree in values),
    )


def _drop(node: Node) -> ast.DropSource:
    return ast.DropSource(
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
    return ast.DescribeSource(_name(node), extended)


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


def _topic(name: Token) -> str:
    if name.type == "STRING_VALUE":
        return unquote_string(name)
    return identifier_text(name) if name.type == "QUOTED" else str(name)


def _count(node: Node | None) -> int | None:
    return int(token(node, "INTEGER_VALUE")) if isinstance(node, Tree) else None
