"""The stream processor: a plan becomes operators, records go in and records come out. Pure, synchronous and deterministic."""
