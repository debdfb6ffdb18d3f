"""The functions of ksqlDB's reference, and which of them are here: the table of ``docs/ksql.md``."""

from __future__ import annotations

from typing import Final

from benchmarks.document import table
from services.ksql.functions.registry import list_functions
from services.ksql.sql.tokens import words

#: names only; CAST, ARRAY, MAP and STRUCT are syntax
REFERENCE: Final = words(
    """
    ABS ACOS ARRAY_CONCAT ARRAY_CONTAINS ARRAY_DISTINCT ARRAY_EXCEPT ARRAY_INTERSECT ARRAY_JOIN ARRAY_LENGTH ARRAY_MAX
    ARRAY_MIN ARRAY_REMOVE ARRAY_SORT ARRAY_UNION ASIN AS_MAP AS_VALUE ATAN ATAN2 ATTR AVG BIGINT_FROM_BYTES CBRT CEIL CHR
    COALESCE COLLECT_LIST COLLECT_SET CONCAT CONCAT_WS CONVERT_TZ CORRELATION COS COSH COT COUNT COUNT_DISTINCT CUBE_EXPLODE
    DATEADD DATESUB DATETOSTRING DEGREES DOUBLE_FROM_BYTES EARLIEST_BY_OFFSET ELT ENCODE ENTRIES EXP EXPLODE EXTRACTJSONFIELD
    FIELD FILTER FLOOR FORMAT_DATE FORMAT_TIME FORMAT_TIMESTAMP FROM_BYTES FROM_DAYS FROM_UNIXTIME GENERATE_SERIES
    GEO_DISTANCE GREATEST HISTOGRAM IFNULL INITCAP INSTR INT_FROM_BYTES IS_JSON_STRING JSON_ARRAY_CONTAINS JSON_ARRAY_LENGTH
    JSON_CONCAT JSON_ITEMS JSON_KEYS JSON_RECORDS LATEST_BY_OFFSET LCASE LEAST LEN LN LOG LPAD MAP_KEYS MAP_UNION MAP_VALUES
    MASK MASK_KEEP_LEFT MASK_KEEP_RIGHT MASK_LEFT MASK_RIGHT MAX MD5 MIN NULLIF PARSE_DATE PARSE_TIME PARSE_TIMESTAMP PI
    POWER RADIANS RANDOM REDUCE REGEXP_EXTRACT REGEXP_EXTRACT_ALL REGEXP_REPLACE REGEXP_SPLIT_TO_ARRAY REPLACE ROUND RPAD
    SIGN SIN SINH SLICE SPLIT SPLIT_TO_MAP SQRT STDDEV_SAMP STDDEV_SAMPLE STRINGTODATE STRINGTOTIMESTAMP SUBSTRING SUM TAN
    TANH TIMEADD TIMESTAMPADD TIMESTAMPSUB TIMESTAMPTOSTRING TIMESUB TOPK TOPKDISTINCT TO_BYTES TO_JSON_STRING TRANSFORM TRIM
    TRUNC UCASE UNIX_DATE UNIX_TIMESTAMP URL_DECODE_PARAM URL_ENCODE_PARAM URL_EXTRACT_FRAGMENT URL_EXTRACT_HOST
    URL_EXTRACT_PARAMETER URL_EXTRACT_PATH URL_EXTRACT_PORT URL_EXTRACT_PROTOCOL URL_EXTRACT_QUERY UUID
    """
)
#: what is known to be other than there
_DIFFERENT: Final = {
    "COUNT_DISTINCT": "exact, where ksqlDB estimates",
    "GENERATE_SERIES": "at most 1,000,000 elements",
    "CUBE_EXPLODE": "at most 16 columns",
    "ARRAY_CONCAT": "at most 1,000,000 elements",
    "REGEXP_EXTRACT": "Python's regular expressions",
    "REGEXP_EXTRACT_ALL": "Python's regular expressions",
    "REGEXP_REPLACE": "Python's regular expressions",
    "REGEXP_SPLIT_TO_ARRAY": "Python's regular expressions",
    "STDDEV_SAMP": "the variance, as in ksqlDB; `STDDEV_SAMPLE` is the deviation",
}


def as_markdown() -> str:
    """One row for each function of the reference, and of those that only this engine has."""
    here = {function.name: function for function in list_functions()}
    rows = []
    for name in sorted(REFERENCE | here.keys()):
        function = here.get(name)
        if function is None:
            rows.append([f"`{name}`", "", "", "absent"])
            continue
        kind = function.type.lower() if function.type == function.category else f"scalar: {function.category.lower()}"
        state = _DIFFERENT.get(name, "here" if name in REFERENCE else "here, not in ksqlDB's reference")
        rows.append([f"`{name}`", kind, str(len(function.signatures)), state])
    return "\n\n".join(
        [
            "Made by `python -m tests.conformance.reference`; a test holds it against the registry.",
            f"{len(REFERENCE & here.keys())} of the {len(REFERENCE)} functions of ksqlDB's reference that need no model and no registry.",
            table(["function", "kind", "signatures", "state"], rows),
        ]
    )


if __name__ == "__main__":
    from pathlib import Path

    from benchmarks.document import write_section

    write_section("functions", as_markdown(), Path("docs/ksql.md"))
