"""Plan to operators: records in, records out; pure, synchronous and deterministic."""
