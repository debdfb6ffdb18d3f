"""Functions written by users in Python: ``@udf`` and ``@udtf`` over a function, ``@udaf`` over a class.

    @udf("INTEGER, STRING -> STRING")
    def repeat(count, text):
        \"\"\"The text, ``count`` times.\"\"\"
        return text * count

    @udaf("STRING -> BIGINT")
    class longest:
        \"\"\"The length of the longest text.\"\"\"
        def initial(self): return 0
        def add(self, state, value): return max(state, len(value))
        def merge(self, older, newer): return max(older, newer)

Signatures are written as in ``definitions``. The name in SQL is that of the function or class in upper case, unless ``name`` is given.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from importlib import import_module
from typing import Any, TypeVar

from services.ksql.functions import registry
from services.ksql.functions.definitions import (
    AGGREGATES,
    SCALARS,
    TABLE_FUNCTIONS,
    BaseAggregator,
    aggregate,
    scalar,
    table_function,
)

F = TypeVar("F", bound=Callable[..., Any])
C = TypeVar("C", bound=type)

_NAME = re.compile(r"[A-Z_][A-Z0-9_]*")
_NEEDED = ("initial", "add", "merge")
#: names that users gave, with the module and name of their functions: the same module may be imported anew
_OWN: dict[str, str] = {}


def udf(*signatures: str, name: str | None = None, nulls: bool = False) -> Callable[[F], F]:
    """Registers the decorated function as a scalar function.

    Without ``nulls`` a NULL argument gives NULL, and the function is not called. An exception gives NULL, as in ksqlDB.

    Raises:
        ValueError: no signature, one that cannot be read, or a name that a built-in function has.
    """

    def register(function: F) -> F:
        shown = _claim(name or function.__name__, function, signatures)
        SCALARS.pop(shown, None)
        scalar(shown, *signatures, category="OTHERS", nulls=nulls)(function)
        return function

    return register


def udtf(*signatures: str, name: str | None = None) -> Callable[[F], F]:
    """Registers the decorated function, which gives a list, as a table function: a row for each item.

    A signature's return type is that of an item: ``STRING -> STRING`` for a function that splits a text. It is not called for NULL.

    Raises:
        ValueError: see ``udf``.
    """

    def register(function: F) -> F:
        shown = _claim(name or function.__name__, function, signatures)
        TABLE_FUNCTIONS.pop(shown, None)
        table_function(shown, *signatures)(function)
        return function

    return register


def udaf(*signatures: str, name: str | None = None) -> Callable[[C], C]:
    """Registers the decorated class as an aggregate function. One object serves a call; states are plain values.

    ``initial()`` gives the first state; ``add(state, *values)`` and ``merge(older, newer)`` give the next one. Optional:
    ``result(state)``; ``undo(state, *values)``, without which it cannot aggregate a table; ``encode(state)`` and ``decode(state)``
    where a state is no JSON value. NULLs are passed on.

    Raises:
        ValueError: see ``udf``, or a method is missing.
    """

    def register(kind: C) -> C:
        missing = [method for method in _NEEDED if not callable(getattr(kind, method, None))]
        if missing:
            raise ValueError(f"{kind.__name__} needs the method{'s' if len(missing) > 1 else ''} {', '.join(missing)}")
        shown = _claim(name or kind.__name__, kind, signatures)
        AGGREGATES.pop(shown, None)
        namespace = {
            "__doc__": inspect.getdoc(kind),
            "__init__": _without_arguments(kind),
            "supports_table": callable(getattr(kind, "undo", None)),
        }
        adapted = type(kind.__name__, (kind, BaseAggregator), namespace)
        aggregate(shown, *signatures)(adapted)
        return kind

    return register


def load(modules: str) -> list[str]:
    """Imports the modules of a comma-separated list, whose decorators register what they hold; the names of all functions of users.

    Raises:
        ValueError: a module cannot be imported; the message names it and the reason.
    """
    for module in filter(None, (part.strip() for part in modules.split(","))):
        try:
            import_module(module)
        except Exception as error:
            raise ValueError(f"The module {module} of functions cannot be imported: {error}") from error
    return sorted(_OWN)


def _claim(name: str, thing: Any, signatures: tuple[str, ...]) -> str:
    shown = name.upper()
    origin = f"{thing.__module__}.{thing.__qualname__}"
    if _NAME.fullmatch(shown) is None:
        raise ValueError(f"{name!r} is no name of a function")
    if not signatures or any("->" not in signature for signature in signatures):
        raise ValueError(f"{shown} needs a signature such as 'STRING, INTEGER -> STRING'")
    if shown not in _OWN and registry.exists(shown):
        raise ValueError(f"{shown} is a built-in function")
    _OWN[shown] = origin
    return shown


def _without_arguments(kind: type) -> Callable[..., None]:
    own: Callable[[Any], None] | None = vars(kind).get("__init__")

    def initialise(self: Any, call: Any) -> None:
        self.call = call
        if own is not None:
            own(self)

    return initialise
