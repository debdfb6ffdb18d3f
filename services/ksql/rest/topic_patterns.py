"""Patterns that name topics to delete: regular expressions, as far as they cannot keep the server busy."""

from __future__ import annotations

import re
from typing import Final

from services.ksql.rest.errors import generic_error

_LONGEST: Final = 300
#: a pattern of n repetitions may take (length of the name)^n steps
_REPETITIONS: Final = 2
_REPEATED: Final = re.compile(r"[*+?}]")
#: a repeated group may take 2^(length of the name) steps
_REPEATED_GROUP: Final = re.compile(r"\)[*+?{]")


class TopicPattern:
    """One entry of ``deleteTopicList``.

    Raises:
        RestError: it is no regular expression, or one that may take too long.
    """

    def __init__(self, text: str) -> None:
        if (
            len(text) > _LONGEST
            or len(_REPEATED.findall(text)) > _REPETITIONS
            or _REPEATED_GROUP.search(text)
            or "(?" in text
        ):
            raise generic_error(f"Pattern too complex: at most {_REPETITIONS} repetitions, and none of a group")
        try:
            self._pattern = re.compile(text)
        except re.error as error:
            raise generic_error(f"Invalid pattern: {error}") from error

    def matches(self, topic: str) -> bool:
        return self._pattern.fullmatch(topic) is not None
