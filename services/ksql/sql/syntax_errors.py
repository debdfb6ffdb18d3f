"""How ksqlDB words a syntax error: where, and either what was missing, what was expected, or a likely intention."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from difflib import SequenceMatcher

from services.ksql.errors import ParseError
from services.ksql.sql.lalr import END, Token
from services.ksql.sql.tokens import RESERVED, words

#: Words that begin a statement, as suggestions for a mistyped one.
_STATEMENTS = words(
    "ALTER CREATE DEFINE DESCRIBE DROP EXPLAIN INSERT LIST PAUSE PRINT RESUME SELECT SET SHOW TERMINATE UNDEFINE UNSET"
)
#: Statements of ksqlDB's command line and of Confluent's cloud, which this server knows by their first words only.
_KNOWN_ELSEWHERE = {"RUN": "RUN SCRIPT", "ALTER SYSTEM": "ALTER SYSTEM"}
_SPELLING = {
    "COMMA": "','",
    "RPAR": "')'",
    "LPAR": "'('",
    "SEMICOLON": "';'",
    "EQ": "'='",
    "GT": "'>'",
    "LT": "'<'",
    "DOT": "'.'",
}
#: What may go on at almost any place: ksqlDB does not list these when it says what it expected.
_GOES_ON = words(
    """PLUS MINUS ASTERISK SLASH PERCENT CONCAT EQ NEQ LT GT LTE GTE AND OR NOT BETWEEN IN LIKE IS LPAR LSQB DOT DEREF ASSIGN ARROW AS
    IDENT QUOTED DIGIT_IDENT VARIABLE KEY PRIMARY HEADER HEADERS EXTENDED ESCAPE"""
)
#: More alternatives than this and ksqlDB finds none viable, so it names none.
_FEW = 4
_CLOSE_ENOUGH = 0.6


def end_token(tokens: Sequence[Token], text: str) -> Token:
    """The end of the input as a token, at its line and column."""
    line = text.count("\n") + 1
    column = len(text) - (text.rfind("\n") + 1) + 1
    return Token(END, "<EOF>", len(text), line, column)


def describe(
    token: Token, accepted: set[str], repaired_by: Callable[[str], bool], before: Sequence[Token]
) -> ParseError:
    """The error for ``token``; ``accepted`` are the terminals that could have been there, ``repaired_by`` says whether
    the parse could go on at ``token`` after an inserted terminal, ``before`` is what the statement begins with.
    """
    words_so_far = " ".join([*(each.upper() for each in before), token.upper()])
    if words_so_far in _KNOWN_ELSEWHERE:
        return unsupported(token, f"The statement {_KNOWN_ELSEWHERE[words_so_far]}")
    reason = _reason(token, accepted, repaired_by, first=not before)
    return ParseError(f"line {token.line}:{token.column}: Syntax Error\n{reason}")


def unsupported(at: Token, what: str) -> ParseError:
    """The error for a part of KSQL that this server knows but does not have."""
    return ParseError(f"line {at.line}:{at.column}: {what} is not supported by this server.")


def _reason(  # noqa: PLR0911 - each return is one of ksqlDB's phrasings
    token: Token, accepted: set[str], repaired_by: Callable[[str], bool], first: bool
) -> str:
    if token.type == "UNRECOGNIZED":
        return ""
    if first and token.type != END:
        return _unknown_statement(str(token))
    if token.type in RESERVED and "IDENT" in accepted and "PLUS" not in accepted and "MINUS" not in accepted:
        return (
            f'"{token}" is a reserved keyword and it can\'t be used as an identifier. '
            f"You can use it as an identifier by escaping it as '{token}' "
        )
    named = [name for name in accepted if name not in _GOES_ON and not _is_word_of(accepted, name)]
    wanted = [_spell(name) for name in sorted(named, key=_rank)]
    missing = [name for name in accepted if name in _SPELLING and name not in _GOES_ON and repaired_by(name)]
    if len(wanted) == 1 and missing:
        return f"missing {_SPELLING[missing[0]]} at '{token}'"
    if not wanted or len(wanted) > _FEW:
        return ""
    if len(wanted) == 1:
        return f"Expecting {wanted[0]}"
    return f"Expecting {{{', '.join(wanted)}}}"


def _is_word_of(accepted: set[str], name: str) -> bool:
    """A non-reserved keyword that is welcome only because any name is."""
    return "IDENT" in accepted and name not in RESERVED and name not in _SPELLING and not name.endswith("_VALUE")


def _rank(name: str) -> tuple[int, str]:
    """Punctuation first, then words, then kinds of values."""
    if name in _SPELLING:
        return list(_SPELLING).index(name), name
    return len(_SPELLING) + name.endswith("_VALUE"), name


def _spell(name: str) -> str:
    if name in _SPELLING:
        return _SPELLING[name]
    return name if name.endswith("_VALUE") else f"'{name}'"


def _unknown_statement(word: str) -> str:
    reason = f"Unknown statement '{word}'"
    upper = word.upper()
    best = max(sorted(_STATEMENTS), key=lambda known: SequenceMatcher(None, upper, known).ratio())
    if SequenceMatcher(None, upper, best).ratio() >= _CLOSE_ENOUGH:
        reason += f"\nDid you mean '{best}'?"
    return reason
