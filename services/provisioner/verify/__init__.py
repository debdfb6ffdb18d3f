"""The auditor: recomputes every table from the source topics and compares it with the sinks and Pinot."""
