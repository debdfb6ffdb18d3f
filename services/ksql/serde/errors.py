"""What a reader or writer of bytes raises."""

from __future__ import annotations


class DecodeError(ValueError):
    """The bytes are not what the schema says; the record is skipped and counted."""


class EncodeError(ValueError):
    """A row cannot be written in the format of the sink."""
