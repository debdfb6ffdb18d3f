"""The WINDOW clause."""

from __future__ import annotations

from services.ksql.errors import ServerError
from services.ksql.model.plan import WindowSpec
from services.ksql.model.schema import KeyWindow, WindowType
from services.ksql.sql import ast


def window_spec(window: ast.Window) -> WindowSpec:
    """The window in milliseconds.

    Raises:
        ServerError: bounds on which ksqlDB itself fails.
    """
    size = window.size.milliseconds
    if size < 1:
        raise ServerError("Window size (sizeMs) must be larger than zero.")
    advance = window.advance.milliseconds if window.advance else size
    if window.type is WindowType.HOPPING and not 0 < advance <= size:
        raise ServerError(
            "Window advancement interval should be more than zero and less than window duration "
            f"which is {size} ms, but given advancement interval is: {advance} ms"
        )
    grace = window.grace.milliseconds if window.grace else None
    retention = window.retention.milliseconds if window.retention else None
    if retention is not None and grace is not None and retention < size + grace:
        raise ServerError(
            "The retention period of the window store Aggregate-Aggregate-Materialize must be no smaller than its window size "
            f"plus the grace period. Got size=[{size}], grace=[{grace}], retention=[{retention}]"
        )
    return WindowSpec(window.type, size, advance, grace, retention)


def key_window(window: ast.Window) -> KeyWindow:
    """How keys look that come out of the window."""
    return KeyWindow(window.type, None if window.type is WindowType.SESSION else window.size.milliseconds)
