from services.ksql.sql.tokens import identifier_text, split_statements, tokenize


def kinds(text: str) -> list[str]:
    return [token.type for token in tokenize(text)]


def test_words_are_keywords_in_any_case() -> None:
    assert kinds("select FROM Where") == ["SELECT", "FROM", "WHERE"]


def test_quoted_words_are_names() -> None:
    tokens = tokenize('`select` "Where" `a``b`')
    assert [identifier_text(token) for token in tokens] == ["select", "Where", "a`b"]


def test_unquoted_names_are_upper_cased() -> None:
    assert identifier_text(tokenize("user_Id")[0]) == "USER_ID"


def test_numbers_of_every_kind() -> None:
    assert kinds("1 1.5 .5 2. 1e3 1.5E-3 2R") == [
        "INTEGER_VALUE",
        "DECIMAL_VALUE",
        "DECIMAL_VALUE",
        "DECIMAL_VALUE",
        "FLOAT_VALUE",
        "FLOAT_VALUE",
        "DIGIT_IDENT",
    ]


def test_comments_may_hold_semicolons_and_quotes() -> None:
    tokens = tokenize("SELECT -- it's; here\n/* and ; 'there */ 1;")
    assert [token.type for token in tokens] == ["SELECT", "INTEGER_VALUE", "SEMICOLON"]


def test_semicolon_in_a_text_does_not_split() -> None:
    pieces = list(split_statements(tokenize("PRINT 'a;b'; SHOW STREAMS;")))
    assert [len(piece) for piece in pieces] == [3, 3]


def test_lines_and_columns_count_from_one() -> None:
    tokens = tokenize("SELECT\n  a,\n  b")
    assert [(token.line, token.column) for token in tokens] == [(1, 1), (2, 3), (2, 4), (3, 3)]


def test_emit_and_partition_are_names_unless_their_clause_follows() -> None:
    assert kinds("emit EMIT CHANGES partition PARTITION BY") == [
        "IDENT",
        "EMIT",
        "CHANGES",
        "IDENT",
        "PARTITION",
        "BY",
    ]


def test_a_stray_character_is_kept_as_unrecognized() -> None:
    assert kinds("a ? b") == ["IDENT", "UNRECOGNIZED", "IDENT"]
