"""Where the columns of a row are: rows are plain tuples, key columns first."""

from __future__ import annotations

from dataclasses import dataclass

from services.ksql.model.schema import Schema


@dataclass(frozen=True, slots=True)
class Layout:
    """``names`` by position; the first ``keys`` are the key. In compiled code a row is ``r``, its time ``t``, its window ``w``."""

    names: tuple[str, ...]
    keys: int

    def fragment(self, name: str, row: str = "r") -> str:
        """The Python text that reads column ``name``.

        Raises:
            KeyError: there is no such column.
        """
        if name in self.names:
            return f"{row}[{self.names.index(name)}]"
        return _PSEUDO[name]


_PSEUDO = {
    "ROWTIME": "t",
    "WINDOWSTART": "(None if w is None else w[0])",
    "WINDOWEND": "(None if w is None else w[1])",
}


def layout_of(schema: Schema, hidden: tuple[str, ...] = ()) -> Layout:
    """The layout of a schema's rows, with ``hidden`` columns at the end."""
    return Layout(tuple(c.name for c in schema.columns) + hidden, len(schema.key))
