"""Three sizes by the calculator of ``pagepulse size``, written into docs/scaling.md.

python -m benchmarks.sizes [--write-docs]
"""

from __future__ import annotations

from typing import Final

from benchmarks.document import write_section
from benchmarks.footprint import SCALING
from benchmarks.harness import arguments
from deploy.sizing import facts as known
from deploy.sizing.model import size
from deploy.sizing.sheet import figure
from deploy.sizing.show import markdown, sources

#: events/s and users: a small shop, a large site, one of the largest
SIZES: Final = ((1e3, 1e4), (5e4, 1e6), (1e6, 1e8))


def sections() -> dict[str, str]:
    """Name of each section to its text."""
    facts = known.load()
    found = {}
    for rate, users in SIZES:
        title = f"{figure(rate)} events/s, {figure(users)} users"
        command = f"`pagepulse size --rate {rate:.0e} --users {users:.0e}`".replace("e+0", "e")
        found[f"size {rate:g}"] = f"### {title}\n\n{command}\n\n{markdown(size(rate, users, facts))}"
    return {**found, "size sources": sources(facts)}


def main() -> None:
    parser = arguments("Three sizes by the calculator.")
    parser.add_argument("--write-docs", action="store_true", help="put them into docs/scaling.md")
    options = parser.parse_args()
    for name, text in sections().items():
        print(text)
        if options.write_docs:
            write_section(name, text, SCALING)


if __name__ == "__main__":
    main()
