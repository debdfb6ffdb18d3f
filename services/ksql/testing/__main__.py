"""``pagepulse ksql test``: runs tests that are files. Exit status 0 when all passed, 1 when one failed, 2 for a wrong call."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from services.ksql.errors import KsqlError
from services.ksql.functions import python
from services.ksql.testing.files import CaseFailure, FileTest, ThreeFiles, find


def main(arguments: list[str] | None = None) -> int:
    """Prints a line for each test, then the failures."""
    parser = argparse.ArgumentParser(prog="pagepulse ksql test", description=__doc__)
    parser.add_argument("paths", nargs="*", type=Path, metavar="PATH", help=".sql files, or folders of them")
    parser.add_argument("-s", "--sql-file", type=Path, help="statements, for the form of three files")
    parser.add_argument("-i", "--input-file", type=Path, help='{"inputs": [...]}')
    parser.add_argument("-o", "--output-file", type=Path, help='{"outputs": [...]}')
    parser.add_argument(
        "--functions", default="", metavar="MODULES", help="Python modules of functions, comma-separated"
    )
    options = parser.parse_args(arguments)
    if (options.sql_file is None) != (options.output_file is None):
        parser.error("--sql-file and --output-file belong together")
    if not options.paths and options.sql_file is None:
        parser.error("give a PATH, or --sql-file, --input-file and --output-file")
    given = [*options.paths, options.sql_file, options.input_file, options.output_file]
    for path in filter(None, given):
        if not path.exists():
            parser.error(f"there is no {path}")
    tests: list[FileTest | ThreeFiles] = []
    try:
        if options.functions:
            sys.path.insert(0, "")
            python.load(options.functions)
        tests += [test for path in options.paths for test in find(path)]
    except ValueError as error:
        parser.error(str(error))
    if options.sql_file is not None:
        tests.append(ThreeFiles(options.sql_file, options.input_file, options.output_file))
    if not tests:
        parser.error("no test found: a test begins with a line --@test: NAME, or has an output file beside it")
    failed = sum(not _passed(test) for test in tests)
    print(f"{len(tests) - failed} passed, {failed} failed")
    return 1 if failed else 0


def _passed(test: FileTest | ThreeFiles) -> bool:
    path = test.path if isinstance(test, FileTest) else test.statements
    try:
        test.run()
    except (CaseFailure, KsqlError, ValueError, OSError) as error:
        print(f"FAILED {path}: {test.name}\n  " + str(error).replace("\n", "\n  "))
        return False
    print(f"passed {path}: {test.name}")
    return True


if __name__ == "__main__":
    sys.exit(main())
