"""``python -m tests.conformance --cases DIR [--json FILE] [--docs FILE] [--verbose]``."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

from benchmarks.document import write_section
from tests.conformance.cases import load, run
from tests.conformance.report import as_markdown, as_text, summary


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests.conformance", description=__doc__)
    parser.add_argument("--cases", type=Path, required=True, help="a folder of case files")
    parser.add_argument("--json", type=Path, help="where the result goes as JSON")
    parser.add_argument("--docs", type=Path, help="a Markdown file whose section of results is replaced")
    parser.add_argument("--verbose", action="store_true", help="say why each case failed")
    options = parser.parse_args()
    if not options.cases.is_dir():
        parser.error(f"{options.cases} is no folder")
    results = [run(file, case) for file, case in load(options.cases)]
    print(as_text(results, verbose=options.verbose))
    print(f"CPU time: {time.process_time():.1f} s")
    if options.json is not None:
        options.json.write_text(json.dumps(summary(results), indent=2) + "\n", encoding="utf-8")
    if options.docs is not None:
        write_section("conformance", as_markdown(results), options.docs)
    return 0


if __name__ == "__main__":
    sys.exit(main())
