"""numpy, imported when a name of it is first used: half of what it costs to start where rows are few and no array is made.

A server imports it at the start all the same (``services.ksql.runtime``), so that no record waits for it.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

__all__ = ["np"]


class _Lazy(ModuleType):
    def __getattr__(self, name: str) -> Any:
        value = getattr(import_module(self.__name__), name)
        setattr(self, name, value)  # found without this method from now on
        return value


if TYPE_CHECKING:
    import numpy as np
else:
    np = _Lazy("numpy")
