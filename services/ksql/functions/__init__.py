"""Scalar and aggregate functions: one registry, one way to add one."""
