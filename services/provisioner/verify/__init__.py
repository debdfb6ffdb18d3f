"""The auditor: recomputes every table from the source topics and compares it with what is in the sinks and in Pinot."""
