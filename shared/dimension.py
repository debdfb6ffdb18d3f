"""A dimension: the text that a table counts by, such as the source of a page view, the device of a login or a user's country.

Any writer to a source topic chooses such a text, and each server has limits of its own: Kafka and MySQL cannot carry half of
a surrogate pair, Pinot ends a text at a NUL character and after a number of characters, and every different text takes memory in
ksqlDB, in its changelog and in Pinot. So one rule says what a text becomes before it is counted:

1. half of a surrogate pair (which JSON can spell, ``\\ud83e``) is ``?``, as Java writes it;
2. NUL is the visible sign U+2400;
3. a text of more than ``LONGEST`` characters keeps its beginning and its end, with ``...`` between them.

Texts are compared character by character: neither case nor blanks at the end are ignored. Every other text stays as it is. A shortened
text is longer than any text that was not shortened, so the two are never taken for one another; texts that the rule itself makes alike
are counted under one name, and the audit says how many.

``apply`` is the rule in Python, for the audit and the seeder; ``ksql`` the same as an expression for the statements, of functions that
ksqlDB has. What Pinot must keep is ``PINOT_LENGTH``, in the ``maxLength`` of its schemas.
"""

from __future__ import annotations

from typing import Final

#: characters (code points) of a text that is kept as it is; the length of URL that is commonly taken for safe
LONGEST: Final = 2048
_END: Final = 100
_BEGINNING: Final = LONGEST - _END
_BETWEEN: Final = "..."

#: what Pinot must not cut: it counts UTF-16 units, of which a character has one or two
PINOT_LENGTH: Final = 2 * LONGEST + len(_BETWEEN)

_NUL_SIGN: Final = "\u2400"


def as_java(text: str) -> str:
    """The text as Java's UTF-8 writes it: with a question mark for half of a surrogate pair."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode(errors="replace").decode()
    return text


def apply(text: str) -> str:
    """What a text is counted as."""
    # neither NUL nor a surrogate is printable
    if len(text) <= LONGEST and text.isprintable():
        return text
    text = as_java(text).replace("\0", _NUL_SIGN)
    return text if len(text) <= LONGEST else text[:_BEGINNING] + _BETWEEN + text[-_END:]


def ksql(column: str) -> str:
    """The rule as a KSQL expression over a column; NULL stays NULL. Halves of surrogate pairs need no function: the server writes the
    key of a group with Java's UTF-8, or reads it so."""
    # One call decides both whether the text is too long and what is left of it. Java's regular expressions count code points, too.
    pattern = f"(?s)^(.{{{_BEGINNING}}}).+(.{{{_END}}})$"
    without_nul = f"REPLACE({column}, CHR(0), CHR({ord(_NUL_SIGN)}))"
    return f"REGEXP_REPLACE({without_nul}, '{pattern}', '$1{_BETWEEN}$2')"
